import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError

MODES = {"nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_it_enlarges_as_opencv_does(mode, scale):
    images = np.random.default_rng(0).random((2, 24, 36, 3), dtype=np.float32)
    ours = Interpolation(scale, mode)(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    size = (36 * scale, 24 * scale)
    theirs = np.stack([cv2.resize(image, size, interpolation=MODES[mode]) for image in images])
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4, 5])
@pytest.mark.parametrize(("height", "width"), [(24, 36), (5, 7), (1, 2)])
def test_lanczos_enlarges_as_pillow_does(scale, height, width):
    levels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    ours = Interpolation(scale, "lanczos")(torch.from_numpy(levels).permute(2, 0, 1)[None].float())[0]
    ours = ours.permute(1, 2, 0).numpy()
    size = (width * scale, height * scale)
    floats = [
        Image.fromarray(levels[..., channel].astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
        for channel in range(3)
    ]
    np.testing.assert_allclose(ours, np.stack(floats, axis=-1), rtol=0, atol=2e-3)
    # In 8 bits Pillow rounds and clips twice, once a direction: a picture without clipping shows a level at most.
    smooth = levels // 4 + 96
    picture = np.asarray(Image.fromarray(smooth).resize(size, Image.Resampling.LANCZOS), dtype=int)
    ours = Interpolation(scale, "lanczos")(torch.from_numpy(smooth).permute(2, 0, 1)[None].float())[0]
    assert np.abs(picture - ours.permute(1, 2, 0).numpy().clip(0, 255).round()).max() <= 1


def test_lanczos_is_not_touched_by_autocast_nor_by_neighbours():
    images = torch.rand(3, 3, 24, 24)
    network = Interpolation(2, "lanczos")
    exact = network(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(images), exact)
    assert torch.equal(torch.cat([network(image[None]) for image in images]), exact)
    assert network(images.double()).dtype == torch.float64


def test_it_says_its_scale_and_refuses_unknown_modes():
    assert Interpolation(3).scale == 3
    assert "scale=3, mode='bicubic'" in repr(Interpolation(3))
    with pytest.raises(UserError, match=r"is not a choice\. Choices: nearest, bilinear, bicubic"):
        Interpolation(2, "bicubik")
