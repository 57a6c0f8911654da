import numpy as np
import pytest
from result_folders import result_of
from scored_faces import predictions

from sr_deepfake.reporting.experiments.defence import summarise

DEFENDED = "sr-edsr-x2 p=0.5"


def result(defence, attack, faces, method="FaceSwap"):
    return result_of("swin", method, attack, faces, defence=defence)


@pytest.fixture
def results():
    return [
        result(None, "sr-edsr-x2", predictions(fnr=(0.1, 0.6))),
        result(None, "sr-bicubic-x2", predictions(fnr=(0.1, 0.4))),
        result(DEFENDED, "sr-edsr-x2", predictions(fnr=(0.2, 0.3))),
        result(DEFENDED, "sr-bicubic-x2", predictions(fnr=(0.2, 0.25))),
    ]


def test_each_defence_under_each_attack_and_whether_it_was_in_training(results):
    table = summarise(results).table
    assert table[["defence", "attack", "in_training"]].to_numpy().tolist() == [
        ["none", "sr-edsr-x2", "–"],
        ["none", "sr-bicubic-x2", "–"],
        [DEFENDED, "sr-edsr-x2", "yes"],
        [DEFENDED, "sr-bicubic-x2", "no"],
    ]
    assert table["fnr_clean"].tolist() == pytest.approx([0.1, 0.1, 0.2, 0.2])
    assert table["fnr_attacked"].tolist() == pytest.approx([0.6, 0.4, 0.3, 0.25])
    assert table["detectors"].tolist() == [1] * 4


def test_detectors_are_averaged(results):
    more = [result(None, "sr-edsr-x2", predictions(fnr=(0.3, 1.0)), "Deepfakes")]
    first = summarise(results + more).table.iloc[0]
    assert first["detectors"] == 2
    assert first["fnr_attacked"] == pytest.approx(0.8)


def test_bars_begin_with_clean_faces_and_miss_what_is_missing(results):
    panels = summarise(results[:3]).figure.axes
    undefended, defended = panels[0].containers
    np.testing.assert_allclose([bar.get_height() for bar in undefended], [10, 60, 40])
    np.testing.assert_allclose([bar.get_height() for bar in defended], [20, 30, np.nan])
    assert [label.get_text() for label in panels[1].get_xticklabels()] == ["clean", "edsr-x2", "bicubic-x2"]
