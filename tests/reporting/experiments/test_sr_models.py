import numpy as np
import pytest
from result_folders import result_of
from scored_faces import predictions

from sr_deepfake.reporting.experiments.sr_models import summarise


def result(network, scale, faces, method="FaceSwap"):
    return result_of("swin", method, f"sr-{network}-x{scale}", faces, network, scale)


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
