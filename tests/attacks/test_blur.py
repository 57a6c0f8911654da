import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_faces import as_faces, as_pictures, photos
from scipy import ndimage

from sr_deepfake.attacks.corruptions import BlurAttack


def reference(picture, sigma):
    """In float64, on each axis; SciPy too ends at four standard deviations."""
    return ndimage.gaussian_filter(picture.astype(np.float64), (sigma, sigma, 0), mode="mirror", truncate=4)


def assert_rounded(picture, values):
    assert np.abs(picture - values).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("sigma", [0.4, 1.17, 1.5, 2.83, 3.5, 8])
def test_it_is_scipys_gaussian(sigma):
    pictures = photos(2, 64, 48)
    for picture, result in zip(pictures, as_pictures(BlurAttack(sigma)(as_faces(pictures))), strict=True):
        assert_rounded(result, reference(picture, sigma))


@settings(max_examples=40)
@given(st.integers(2, 24), st.integers(2, 24), st.floats(0.05, 12))
def test_a_face_of_any_size_even_one_smaller_than_the_kernel(height, width, sigma):
    picture = photos(1, height, width)
    result = as_pictures(BlurAttack(sigma)(as_faces(picture)))
    assert_rounded(result[0], reference(picture[0], sigma))


def test_the_weakest_blur_changes_nothing():
    faces = as_faces(photos(1))
    assert (BlurAttack(0.05)(faces) == faces).all()
