import copy
import dataclasses

import page_reports
import pytest

from sr_deepfake.reporting.page.words import answer, conclusions, tiles


def entry(clean, attacked, interval, metric="fnr", setup="both", **named):
    """An entry whose figure and its interval are known."""
    found = page_reports.entry(**named)
    metrics = found.attacked.metrics
    changed = metrics | {
        "clean": metrics["clean"] | {metric: clean},
        setup: metrics[setup] | {metric: attacked},
        "intervals": copy.deepcopy(metrics["intervals"]),
    }
    changed["intervals"]["changes"][setup][metric] = interval or [None, None]
    result = dataclasses.replace(found.attacked, metrics=changed)
    return dataclasses.replace(found, clean=result, attacked=result)


def report(*entries, **changed):
    return page_reports.small(grid=page_reports.grid(entries), **{"illustration": None, **changed})


def test_one_detector_of_two_that_misses_more_is_named_with_its_interval():
    told = answer(report(entry(0.05, 0.30, [0.1, 0.4]), entry(0.1, 0.12, [-0.02, 0.06], model="swin")))
    assert told == (
        "Under sr-edsr-x2, 1 of 2 detectors misses more fakes: the 95 % interval of the change excludes 0. "
        "The largest change is +25.0 points (95 % interval +10.0 to +40.0), from 5.0 to 30.0 %, of "
        "resnet50 on FaceSwap."
    )


def test_without_evidence_no_change_is_claimed():
    told = answer(report(entry(0.05, 0.08, [-0.01, 0.07]), entry(0.1, 0.1, [0.0, 0.0], model="swin")))
    assert "there is no evidence that any of 2 detectors misses more fakes." in told
    assert "+3.0 points (95 % interval −1.0 to +7.0)" in told


def test_the_largest_change_that_is_told_of_those_beyond_chance_is_one_of_them():
    told = answer(report(entry(0.0, 0.5, [-0.1, 0.9]), entry(0.1, 0.2, [0.05, 0.15], model="swin")))
    assert "1 of 2 detectors misses" in told
    assert "of swin on FaceSwap" in told


def test_a_detector_that_gains_is_told_and_its_fall_is_no_largest_rise():
    told = answer(report(entry(0.3, 0.1, [-0.3, -0.1]), entry(0.1, 0.1, [0.0, 0.0], model="swin")))
    assert told.endswith(
        "there is no evidence that any of 2 detectors misses more fakes. 1 of 2 misses fewer."
    )


def test_without_intervals_nothing_is_judged():
    told = answer(report(entry(0.1, 0.4, None)))
    assert "no change of FNR can be told from chance: the results have no intervals" in told
    assert "evidence" not in told
    mixed = answer(report(entry(0.1, 0.4, None), entry(0.1, 0.4, [0.1, 0.5], model="swin")))
    assert "1 of 2 detectors misses more fakes" in mixed
    assert "1 of 2 have no interval and are not judged" in mixed


def test_an_illustration_is_called_one_and_an_empty_grid_concludes_nothing():
    assert answer(report(entry(0.1, 0.4, None), illustration="Illustration")).startswith(
        "In this illustration, "
    )
    empty = report(page_reports.missing())
    assert "nothing to conclude" in answer(empty)
    assert tiles(empty.grid) == []
    assert conclusions(empty) == []


def test_a_fall_of_auc_is_what_is_worse():
    told = conclusions(report(entry(0.9, 0.8, [-0.15, -0.05], "auc")))
    assert any(
        "The detector tells fakes less well (AUC): the 95 % interval of the change excludes 0." in each
        for each in told
    )
    assert any("−10.0 points (95 % interval −15.0 to −5.0)" in each for each in told)


def test_corrected_tests_and_guessing_detectors_are_told():
    weak = entry(0.55, 0.5, [-0.2, 0.1], "auc", model="swin")
    told = " ".join(conclusions(report(weak, entry(0.95, 0.9, [-0.1, 0.1], "auc"))))
    # Of four tests (0.004 and 1 for each detector) two remain.
    assert "Corrected for all 4 tests" in told
    assert "2 of the changes remain significant at 0.05" in told
    assert "Near guessing on clean faces already" in told
    assert "swin on FaceSwap (55.0 %)." in told
    assert "160 faces of 80 videos for each detector" in told


@pytest.mark.parametrize(("attacked", "value"), [(0.30, "+25.0"), (0.05, "none"), (0.01, "none")])
def test_a_tile_shows_the_largest_change_for_the_worse(attacked, value):
    tile = tiles(report(entry(0.05, attacked, [0.1, 0.4])).grid)[0]
    assert (tile.label, tile.value) == ("Missed fakes (FNR), largest rise", value)
    assert tile.where == ("resnet50 on FaceSwap" if value != "none" else "")
