import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_faces import as_faces, as_pictures, photos

from sr_deepfake.attacks.corruptions import ResizeAttack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.interpolation import Interpolation


def area_mean(picture, size):
    """Each small pixel is the mean of what it covers, a pixel that it covers in part counts in part."""
    for axis, count in enumerate(size):
        side = picture.shape[axis]
        edges = np.arange(count + 1) * side / count
        low, high = edges[:-1, None], edges[1:, None]
        pixels = np.arange(side)[None]
        weights = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None) * count / side
        picture = np.moveaxis(np.tensordot(weights, picture, (1, axis)), 0, axis)
    return picture


@pytest.mark.parametrize("factor", [1.5, 2, 2.5, 3, 4, 6])
def test_down_is_an_area_average_and_up_is_bilinear(factor):
    pictures = photos(2, 72, 60)
    attacked = as_pictures(ResizeAttack(factor, "bilinear")(as_faces(pictures)))
    size = round(72 / factor), round(60 / factor)
    for picture, result in zip(pictures, attacked, strict=True):
        means = area_mean(picture.astype(np.float64), size)
        # OpenCV halves exact ties upwards where the factor is 2, and to the even number elsewhere.
        small = np.floor(means + 0.5) if factor == 2 else np.rint(means)
        large = torch.nn.functional.interpolate(
            torch.from_numpy(small).permute(2, 0, 1)[None], (72, 60), mode="bilinear", align_corners=False
        )
        difference = np.abs(result - large[0].permute(1, 2, 0).numpy())
        # A mean that falls between two levels may be rounded to either, which shows wherever it is spread.
        assert difference.max() <= 1.5 + 1e-2
        assert (difference <= 0.5 + 1e-2).mean() > 0.99


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_whole_factors_are_the_attack_with_interpolation_for_a_network(factor):
    faces = as_faces(photos(3, 48))
    control = SuperResolutionAttack(Interpolation(factor), factor)(faces)
    difference = ((ResizeAttack(factor)(faces) - control).abs() * 255).round()
    assert difference.max() <= 1  # which way a tie goes is a matter of float32 sums
    assert (difference == 0).float().mean() > 0.99


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(1.01, 60), st.sampled_from(["bicubic", "bilinear"]))
def test_any_size_and_factor_keep_the_size_and_plain_pictures(height, width, factor, interpolation):
    faces = torch.full((1, 3, height, width), 100 / 255)
    assert torch.equal(ResizeAttack(factor, interpolation)(faces), faces)


def test_the_picture_stays_in_place():
    ramp = (torch.arange(50.0) * 4 / 255).expand(1, 3, 50, 50).contiguous()
    for factor in (1.5, 2, 3.3):
        inner = ((ResizeAttack(factor)(ramp) - ramp) * 255)[..., 8:-8]
        assert inner.abs().max() <= 1.01


def test_bicubic_and_bilinear_are_opencvs():
    picture = photos(1, 60)[0]
    small = cv2.resize(picture, (40, 40), interpolation=cv2.INTER_AREA).astype(np.float32)
    for name, flag in (("bicubic", cv2.INTER_CUBIC), ("bilinear", cv2.INTER_LINEAR)):
        large = np.rint(cv2.resize(small, (60, 60), interpolation=flag)).clip(0, 255)
        np.testing.assert_array_equal(as_pictures(ResizeAttack(1.5, name)(as_faces(picture[None])))[0], large)
