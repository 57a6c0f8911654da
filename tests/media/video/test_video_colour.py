import av
import numpy as np
import pytest

from sr_deepfake.media.video.colour import Colour, colour_of
from sr_deepfake.media.video.planes import plane_views


@pytest.mark.parametrize("pix_fmt", ["yuv444p", "yuvj444p", "yuv444p10le", "gray", "gray10le"])
@pytest.mark.parametrize("matrix", [1, 2, 4, 5, 6, 7, 9])
@pytest.mark.parametrize("colour_range", [0, 1, 2])
def test_ffmpeg_reads_the_same_colours_back(pix_fmt, matrix, colour_range):
    rgb = np.random.default_rng(matrix).integers(0, 256, (24, 40, 3)).astype(np.uint8)
    if pix_fmt.startswith("gray"):
        rgb = rgb[..., :1].repeat(3, 2)
    frame = av.VideoFrame(40, 24, pix_fmt)
    frame.colorspace, frame.color_range = matrix, colour_range
    colour = colour_of(frame)
    for view, plane in zip(plane_views(frame), colour.planes(rgb.astype(np.float32)), strict=False):
        view[:] = np.rint(plane).clip(0, 2**colour.bits - 1)
    shown = frame.to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown - rgb).max() <= 2
    assert np.abs(shown - rgb).mean() < 0.8


def test_black_white_and_grey_have_the_standard_s_numbers():
    levels = np.array([[[0, 0, 0], [255, 255, 255], [128, 128, 128]]], np.float32)
    luma, blue, red = Colour(matrix=1, full=False, bits=8).planes(levels)
    np.testing.assert_allclose(luma, [[16, 235, 16 + 219 * 128 / 255]], rtol=1e-6)
    np.testing.assert_allclose([blue, red], 128, rtol=1e-6)
    assert Colour(matrix=9, full=True, bits=10).planes(levels)[0][0, 1] == pytest.approx(1023)
