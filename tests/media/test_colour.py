import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sr_deepfake.media.colour import CHANNELS, from_rgb, to_rgb

SEEDS = st.integers(0, 2**32 - 1)


def noise(seed, channels, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (40, 50, channels), dtype=dtype)


@pytest.mark.parametrize("mode", CHANNELS)
@given(seed=SEEDS)
def test_rgb_is_pillows(mode, seed):
    pixels = noise(seed, CHANNELS[mode])
    image = Image.fromarray(pixels[:, :, 0] if mode == "L" else pixels, mode)
    np.testing.assert_array_equal(to_rgb(pixels, mode), np.array(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@given(seed=SEEDS)
def test_a_face_comes_back_from_pixels_of_every_kind(mode, dtype, seed):
    before, face = noise(seed, CHANNELS[mode], dtype), noise(seed + 1, 3)
    pixels = from_rgb(face, mode, before)
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(to_rgb(pixels, mode), face)
    if mode == "RGBA":
        np.testing.assert_array_equal(pixels[:, :, 3], before[:, :, 3])


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_photo_gets_the_luma(mode):
    before, face = noise(0, CHANNELS[mode]), noise(1, 3)
    pixels = from_rgb(face, mode, before)
    np.testing.assert_array_equal(pixels[:, :, 0], np.array(Image.fromarray(face).convert("L")))
    grey = np.repeat(face[:, :, :1], 3, axis=2)
    np.testing.assert_array_equal(from_rgb(grey, mode, before)[:, :, 0], face[:, :, 0])
    np.testing.assert_array_equal(pixels[:, :, 1:], before[:, :, 1:])


def test_black_ink_stays_where_the_face_is_dark_enough():
    before = np.full((1, 2, 4), 90, np.uint8)
    pixels = from_rgb(np.array([[[10, 20, 30], [255, 255, 250]]], np.uint8), "CMYK", before)
    assert pixels[0, :, 3].tolist() == [90, 0]


def test_sixteen_bits_span_the_range():
    before = np.zeros((1, 1, 3), np.uint16)
    assert from_rgb(np.array([[[0, 255, 1]]], np.uint8), "RGB", before).tolist() == [[[0, 65535, 257]]]
