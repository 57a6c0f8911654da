import page_reports
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.reporting.page.heat_map import STEPS, colour_of, map_views


def test_the_map_has_each_model_and_method_in_the_grids_order():
    report = page_reports.small()
    views = map_views(report.grid, {report.results[0].folder: "result-1"})
    assert [view.key for view in views] == ["fnr both", "fpr both", "auc both", "auc fake"]
    ((model, spots),) = views[0].rows
    assert (model, len(spots)) == ("resnet50", 3)
    metrics = report.results[0].metrics
    change = metrics["both"]["fnr"] - metrics["clean"]["fnr"]
    assert spots[0].change == f"+{100 * change:.1f}"
    assert spots[0].detail == f"{100 * metrics['clean']['fnr']:.1f} → {100 * metrics['both']['fnr']:.1f}"
    assert (spots[0].colour, spots[0].is_evident, spots[0].target) == ("worse5", True, "result-1")
    assert (spots[1].colour, spots[1].change, spots[1].target) == ("same", "0.0", "")
    assert (spots[2].colour, spots[2].detail, spots[2].interval) == ("lacking", "missing", "")


def test_a_grid_of_small_changes_is_not_shown_as_alarming():
    place = page_reports.place(missed=(0.1, 0.1), alarms=(0.1, 0.1))
    spots = map_views(page_reports.grid([place]), {})[0].rows[0][1]
    assert spots[0].colour == "same"
    assert map_views(page_reports.grid([place]), {})[0].legend[-1] == ("worse5", "5.0")


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
