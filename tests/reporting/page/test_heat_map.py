import dataclasses

import page_reports
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.reporting.page.heat_map import STEPS, change_at, changes, colour_of, map_views


def test_a_change_is_that_of_the_metrics():
    entry = page_reports.entry(missed=(0.05, 0.4))
    metrics = entry.attacked.metrics
    for metric, setup in (("fnr", "both"), ("fpr", "both"), ("auc", "both"), ("auc", "fake")):
        change = change_at(entry, metric, setup)
        assert (change.clean, change.attacked) == (metrics["clean"][metric], metrics[setup][metric])
        assert change.change == pytest.approx(metrics["changes"][setup][metric])
        assert change.interval == tuple(metrics["intervals"]["changes"][setup][metric])
        assert change.p == {"fnr": 0.004, "fpr": 1.0}.get(metric)
        assert (change.model, change.forgery) == ("resnet50", "FaceSwap")


@pytest.mark.parametrize(
    ("metric", "clean", "attacked", "worse"),
    [("fnr", 0.1, 0.2, True), ("fpr", 0.2, 0.1, False), ("auc", 0.9, 0.8, True), ("auc", 0.8, 0.9, False)],
)
def test_errors_are_worse_when_they_rise_and_auc_when_it_falls(metric, clean, attacked, worse):
    change = dataclasses.replace(
        change_at(page_reports.entry(), metric, "both"), clean=clean, attacked=attacked
    )
    assert change.is_worse == worse


@pytest.mark.parametrize(
    ("interval", "evident"),
    [
        ((0.01, 0.2), True),
        ((-0.2, -0.01), True),
        ((0.0, 0.2), False),
        ((-0.1, 0.1), False),
        ((0.0, 0.0), False),
        (None, False),
    ],
)
def test_a_change_is_evident_when_its_interval_excludes_0(interval, evident):
    change = dataclasses.replace(change_at(page_reports.entry(), "fnr", "both"), interval=interval)
    assert change.is_evident == evident


def test_what_is_missing_undefined_or_not_attacked_has_no_change():
    found = page_reports.result()
    undefined = dataclasses.replace(
        found, metrics=found.metrics | {"clean": found.metrics["clean"] | {"fnr": None}}
    )
    clean_only = dataclasses.replace(found, metrics=found.metrics | {"both": None, "fake": None})
    entries = [
        page_reports.missing(),
        *(dataclasses.replace(page_reports.entry(), attacked=result) for result in (undefined, clean_only)),
    ]
    assert changes(entries, "fnr", "both") == []
    assert len(changes(entries, "fpr", "both")) == 1


def test_an_undefined_figure_has_no_interval():
    found = page_reports.result()
    assert found.interval("clean", "fnr") == tuple(found.metrics["intervals"]["clean"]["fnr"])
    undefined = dataclasses.replace(found, metrics={"intervals": {"clean": {"fnr": [None, None]}}})
    assert undefined.interval("clean", "fnr") is None


def test_the_map_has_each_model_and_method_in_the_grids_order():
    report = page_reports.small()
    views = map_views(report.grid, {report.results[0].folder: "result-1"})
    assert [view.key for view in views] == ["fnr both", "fpr both", "auc both", "auc fake"]
    ((model, squares),) = views[0].rows
    assert (model, len(squares)) == ("resnet50", 3)
    metrics = report.results[0].metrics
    change = metrics["both"]["fnr"] - metrics["clean"]["fnr"]
    assert squares[0].change == f"+{100 * change:.1f}"
    assert squares[0].detail == f"{100 * metrics['clean']['fnr']:.1f} → {100 * metrics['both']['fnr']:.1f}"
    assert (squares[0].colour, squares[0].is_evident, squares[0].target) == ("worse5", True, "result-1")
    assert (squares[1].colour, squares[1].change, squares[1].target) == ("same", "0.0", "")
    assert (squares[2].colour, squares[2].detail, squares[2].interval) == ("lacking", "missing", "")


def test_a_grid_of_small_changes_is_not_shown_as_alarming():
    entry = page_reports.entry(missed=(0.1, 0.1), alarms=(0.1, 0.1))
    squares = map_views(page_reports.grid([entry]), {})[0].rows[0][1]
    assert squares[0].colour == "same"
    assert map_views(page_reports.grid([entry]), {})[0].legend[-1] == ("worse5", "5.0")


@given(st.floats(-1, 1), st.floats(0.05, 1))
def test_the_colour_grows_with_the_change_and_tells_better_from_worse(harm, full):
    colour = colour_of(harm, full)
    if abs(harm) < 0.0005:
        assert colour == "same"
        return
    assert colour[:-1] == ("worse" if harm > 0 else "better")
    step = int(colour[-1])
    assert 1 <= step <= STEPS
    if abs(harm) <= full:  # the legend names each step's largest change
        assert (step - 1) * full / STEPS - 1e-6 <= abs(harm) <= step * full / STEPS + 1e-6


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_change_as_large_as_the_legend_says_has_its_colour(step):
    assert colour_of(0.1 * step / STEPS, 0.1) == f"worse{step}"
