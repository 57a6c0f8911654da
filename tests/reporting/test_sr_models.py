import numpy as np
import pytest
from scored_faces import predictions

from sr_deepfake.reporting.experiments.sr_models import summarise
from sr_deepfake.reporting.experiments.summary import Result
from sr_deepfake.system.errors import UserError


def result(network, scale, faces, method="FaceSwap"):
    return Result("swin", method, method, f"sr-{network}-x{scale}", network, scale, predictions=faces)


def test_means_over_detectors_for_each_network_and_k():
    table = summarise(
        [
            result("edsr", 2, predictions(fnr=(0.0, 0.5), ssim=0.9, psnr=34.0)),
            result("edsr", 2, predictions(fnr=(0.1, 0.25), ssim=0.8, psnr=36.0), "Deepfakes"),
            result("bicubic", 4, predictions(fnr=(0.0, 0.75), ssim=0.6)),
        ]
    ).table
    edsr, bicubic = table.to_dict("records")
    assert (edsr["network"], edsr["scale"], edsr["detectors"]) == ("edsr", 2, 2)
    assert edsr["fnr_attacked"] == pytest.approx(0.375)
    assert edsr["fnr_change"] == pytest.approx(0.325)
    assert (edsr["ssim"], edsr["psnr"]) == pytest.approx((0.85, 35.0))  # of fakes, not of pristine faces
    assert (bicubic["scale"], bicubic["detectors"], bicubic["ssim"]) == (4, 1, pytest.approx(0.6))


def test_a_cell_without_weights_keeps_its_row_and_spoils_no_mean():
    table = summarise(
        [
            result("edsr", 3, None),
            result("edsr", 2, predictions(fnr=(0.0, 0.5))),
            result("edsr", 2, None, "Deepfakes"),
        ]
    ).table
    assert table[["scale", "detectors"]].to_numpy().tolist() == [[2, 1], [3, 0]]
    assert table["fnr_attacked"][0] == 0.5
    assert np.isnan(table["fnr_attacked"][1])


def test_faces_that_did_not_change_have_no_part_in_the_psnr():
    faces = predictions(psnr=35.0)
    faces.loc[0, "psnr"] = np.inf
    assert summarise([result("edsr", 2, faces)]).table["psnr"][0] == pytest.approx(35.0)


def test_the_curve_is_fnr_against_ssim_with_its_k():
    results = [
        result(network, scale, predictions(fnr=(0.1, 0.2 * scale), ssim=1 - 0.1 * scale))
        for network in ("edsr", "lanczos")
        for scale in (4, 2, 3)
    ]
    (axes,) = summarise(results).figure.axes
    edsr, lanczos, clean = axes.lines
    np.testing.assert_allclose(edsr.get_xdata(), [0.8, 0.7, 0.6])
    np.testing.assert_allclose(edsr.get_ydata(), [40, 60, 80])
    np.testing.assert_allclose(clean.get_ydata(), 10)
    assert edsr.get_linestyle() != lanczos.get_linestyle()
    assert [text.get_text() for text in axes.texts] == ["×2", "×3", "×4"] * 2


def test_nothing_to_compare_yet():
    with pytest.raises(UserError, match="experiment=sr_models"):
        summarise([result("edsr", 2, None)])
