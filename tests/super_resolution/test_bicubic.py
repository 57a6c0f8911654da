import cv2
import numpy as np
import pytest
import torch

from sr_deepfake.errors import UserError
from sr_deepfake.super_resolution.bicubic import Interpolation

MODES = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_it_enlarges_as_opencv_does(mode, scale):
    images = np.random.default_rng(0).random((2, 24, 36, 3), dtype=np.float32)
    ours = Interpolation(scale, mode)(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    size = (36 * scale, 24 * scale)
    theirs = np.stack([cv2.resize(image, size, interpolation=MODES[mode]) for image in images])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_it_says_its_scale_and_refuses_unknown_modes():
    assert Interpolation(3).scale == 3
    assert "scale=3, mode='bicubic'" in repr(Interpolation(3))
    with pytest.raises(UserError, match="bicubic"):
        Interpolation(2, "bicubik")
