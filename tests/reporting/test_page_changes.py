import dataclasses

import page_reports
import pytest

from sr_deepfake.reporting.page.heat_map import change_at, changes, interval_of


def test_a_change_is_that_of_the_metrics():
    place = page_reports.place(missed=(0.05, 0.4))
    metrics = place.attacked.metrics
    for metric, setup in (("fnr", "both"), ("fpr", "both"), ("auc", "both"), ("auc", "fake")):
        change = change_at(place, metric, setup)
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
        change_at(page_reports.place(), metric, "both"), clean=clean, attacked=attacked
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
    change = dataclasses.replace(change_at(page_reports.place(), "fnr", "both"), interval=interval)
    assert change.is_evident == evident


def test_what_is_missing_undefined_or_not_attacked_has_no_change():
    found = page_reports.result()
    undefined = dataclasses.replace(
        found, metrics=found.metrics | {"clean": found.metrics["clean"] | {"fnr": None}}
    )
    clean_only = dataclasses.replace(found, metrics=found.metrics | {"both": None, "fake": None})
    places = [
        page_reports.missing(),
        *(dataclasses.replace(page_reports.place(), attacked=result) for result in (undefined, clean_only)),
    ]
    assert changes(places, "fnr", "both") == []
    assert len(changes(places, "fpr", "both")) == 1


def test_results_of_older_versions_have_no_interval():
    found = page_reports.result()
    assert interval_of(found, "clean", "fnr") == tuple(found.metrics["intervals"]["clean"]["fnr"])
    old = dataclasses.replace(found, metrics={k: v for k, v in found.metrics.items() if k != "intervals"})
    assert interval_of(old, "clean", "fnr") is None
    undefined = dataclasses.replace(
        found, metrics=found.metrics | {"intervals": {"clean": {"fnr": [None, None]}}}
    )
    assert interval_of(undefined, "clean", "fnr") is None
