"""Tables and figures of the experiments that the paper left open: each a pivot of results."""

import numpy as np
import pytest
from result_folders import grid_of, read_all, write_results
from scored_faces import predictions

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.experiments import experiment_parts
from sr_deepfake.reporting.numbers import show


def parts_of(outputs):
    parts = experiment_parts(read_all(outputs), grid_of(outputs))
    return {table.name: (table, figure) for table, figure in parts}


def rows_of(table):
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_results_of_none_have_none(tmp_path):
    write_results(tmp_path)
    assert parts_of(tmp_path) == {}


def test_success_by_the_faces_side(tmp_path):
    faces = predictions((0.1, 0.4), (0, 0.2), 80, sides=(96, 192, 288))
    write_results(tmp_path, faces=faces)
    table, figure = parts_of(tmp_path)["resolution"]
    rows = rows_of(table)
    assert [row["Side (px)"] for row in rows] == ["≤ 96", "97–192", "> 192"]
    for row, side in zip(rows, (96, 192, 288), strict=True):
        chosen = faces[faces["side"] == side]
        expected = run_metrics(chosen, resamples=500)
        assert (row["Fake"], row["Pristine"]) == (str(chosen["label"].sum()), str((chosen["label"] == 0).sum()))
        change = expected.figure("both", "fnr")
        assert row["FNR change"] == show(change.change, "points", change.change_interval)
    line = figure.figure.axes[0].get_lines()[1]
    expected = [float(row["FNR attacked"]) for row in rows]
    assert line.get_ydata().tolist() == pytest.approx(expected, abs=0.051)


def test_networks_and_interpolation_in_their_place(tmp_path):
    for network, scale, missed, ssim in (("sr-edsr", 2, 0.4, 0.9), ("sr-edsr", 4, 0.8, 0.7), ("bicubic", 2, 0.2, 0.8)):
        faces = predictions((0, missed), ssim=ssim)
        write_results(tmp_path, attack=f"{network}-x{scale}", faces=faces)
        write_results(tmp_path, model="swin", attack=f"{network}-x{scale}", faces=faces)
    table, figure = parts_of(tmp_path)["sr_models"]
    found = [(row["Network"], row["K"], row["Model"], row["SSIM"], row["FNR attacked"]) for row in rows_of(table)]
    assert found == [
        ("bicubic", "2", "Resnet50", "0.800", "20.0"), ("bicubic", "2", "Swin", "0.800", "20.0"),
        ("edsr", "2", "Resnet50", "0.900", "40.0"), ("edsr", "2", "Swin", "0.900", "40.0"),
        ("edsr", "4", "Resnet50", "0.700", "80.0"), ("edsr", "4", "Swin", "0.700", "80.0"),
    ]  # fmt: skip
    lines = {line.get_label(): line for line in figure.figure.axes[0].get_lines()}
    assert np.sort(lines["edsr"].get_xdata()) == pytest.approx([0.7, 0.9])
    assert set(lines["edsr"].get_ydata()) == {80.0, 40.0}


def test_a_defended_detector_next_to_the_undefended_one(tmp_path):
    for defence in ("none", "sr-edsr-x2 p=0.5"):
        defended = defence != "none"
        for attack, missed in (("sr-edsr-x2", 0.1 if defended else 0.5), ("bicubic-x2", 0.3)):
            options = {"defence": defence, "recipe": defence, "detector": f"d-{defended}"} if defended else {}
            write_results(tmp_path, attack=attack, faces=predictions((0, missed)), **options)
    write_results(tmp_path, attack="jpeg-q15")  # which no defended detector met
    table, figure = parts_of(tmp_path)["defence"]
    found = [(row["Attack"], row["Defence"], row["In training"], row["FNR attacked"]) for row in rows_of(table)]
    assert found == [
        ("bicubic-x2", "none", "–", "30.0"), ("bicubic-x2", "sr-edsr-x2 p=0.5", "no", "30.0"),
        ("sr-edsr-x2", "none", "–", "50.0"), ("sr-edsr-x2", "sr-edsr-x2 p=0.5", "yes", "10.0"),
    ]  # fmt: skip
    assert len(figure.figure.axes[0].patches) == 6


def test_transfer_is_a_matrix_of_methods(tmp_path):
    for number, (own, other) in enumerate((a, b) for a in ("Deepfakes", "FaceSwap") for b in ("Deepfakes", "FaceSwap")):
        write_results(tmp_path, trained_on=own, forgery=other, faces=predictions((0.1, 0.1 * (number + 2))))
    table, figure = parts_of(tmp_path)["transfer_resnet50_sr-edsr-x2"]
    found = [(row["Trained on"], row["Tested on"], row["FNR attacked"]) for row in rows_of(table)]
    assert found == [
        ("Deepfakes", "Deepfakes", "20.0"), ("Deepfakes", "FaceSwap", "30.0"),
        ("FaceSwap", "Deepfakes", "40.0"), ("FaceSwap", "FaceSwap", "50.0"),
    ]  # fmt: skip
    values = figure.figure.axes[3].images[0].get_array()
    np.testing.assert_allclose(values, [[20, 30], [40, 50]])
