import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import result_of
from scored_faces import predictions

from sr_deepfake.reporting.experiments.resolution import ALL, summarise, upper_edges


def result(method, faces):
    return result_of("swin", method, "sr-edsr-x2", faces)


@given(st.lists(st.integers(1, 15).map(lambda value: value * 24), min_size=1), st.integers(1, 8))
def test_quantiles_hold_every_face_and_none_is_empty(sides, bins):
    edges = upper_edges(sides, bins)
    assert edges == sorted(set(edges))
    assert len(edges) <= bins
    assert edges[-1] == max(sides)
    counts = np.histogram(sides, [0, *(edge + 0.5 for edge in edges)])[0]
    assert counts.sum() == len(sides)
    assert (counts > 0).all()


def test_rates_of_each_bin_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    faces = predictions(count=150, sides=(96, 120, 192, 240, 360))
    faces["score"], faces["score_attacked"] = rng.random(300), rng.random(300)
    table = summarise([result("FaceSwap", faces)]).table
    assert table["side"].tolist() == ["≤ 120", "121–192", "193–240", "> 240"]
    bins = [(0, 120), (120, 192), (192, 240), (240, 999)]
    for row, (low, high) in zip(table.to_dict("records"), bins, strict=True):
        missed = fakes = accused = pristine = 0
        for face in faces.itertuples():
            if low < face.side <= high:
                fakes += face.label
                pristine += 1 - face.label
                missed += face.label * (face.score_attacked <= 0.5)
                accused += (1 - face.label) * (face.score > 0.5)
        assert (row["fake"], row["pristine"]) == (fakes, pristine)
        assert row["fnr_attacked"] == pytest.approx(missed / fakes)
        assert row["fpr_clean"] == pytest.approx(accused / pristine)


def test_all_detectors_are_pooled_above_each_of_them():
    some = predictions(fnr=(0.0, 0.5), count=40)
    more = predictions(fnr=(0.0, 0.0), count=120)
    table = summarise([result("FaceSwap", some), result("Deepfakes", more)]).table
    assert table["trained_on"].tolist() == [ALL, "FaceSwap", "Deepfakes"]
    assert table["fake"].tolist() == [160, 40, 120]
    assert table["fnr_attacked"].tolist() == pytest.approx([0.125, 0.5, 0.0])


def test_the_figure_shows_rates_in_percent_and_the_counts():
    summary = summarise([result("FaceSwap", predictions(fnr=(0.1, 0.6), sides=(96, 360)))])
    above, below = summary.figure.axes
    clean, attacked = above.lines
    np.testing.assert_allclose(attacked.get_ydata(), summary.table["fnr_attacked"] * 100)
    np.testing.assert_allclose(clean.get_ydata(), summary.table["fnr_clean"] * 100)
    assert [label.get_text() for label in below.get_xticklabels()] == ["≤ 96\n20 + 20", "> 96\n20 + 20"]
