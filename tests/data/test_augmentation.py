import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sr_deepfake.data.augmentation import OPERATIONS, Augmentation

FACE = torch.from_numpy(np.random.default_rng(0).integers(60, 196, (3, 48, 48), dtype=np.uint8))


def change(seed=0, face=FACE, **probabilities):
    return Augmentation(probabilities)(face, np.random.default_rng(seed))


@given(st.dictionaries(st.sampled_from(OPERATIONS), st.floats(0, 1)), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_shape_type_and_repeatability(probabilities, seed):
    one, other = change(seed, **probabilities), change(seed, **probabilities)
    assert one.shape == FACE.shape
    assert one.dtype == torch.uint8
    assert torch.equal(one, other)


def test_nothing_happens_at_probability_zero():
    assert torch.equal(change(), FACE)


def test_flip_and_grey_are_what_they_say():
    assert torch.equal(change(flip=1), FACE.flip(-1))
    grey = change(grey=1)
    assert torch.equal(grey[0], grey[1])
    weights = torch.tensor([0.2989, 0.587, 0.114]).view(3, 1, 1)
    assert (grey[0] - (FACE * weights).sum(0)).abs().max() <= 1


def test_noise_is_3_to_7_grey_levels():
    spreads = [(change(seed, noise=1).float() - FACE.float()).std().item() for seed in range(30)]
    assert 3.0 < min(spreads) < 4.2
    assert 6.0 < max(spreads) < 7.3


def test_jpeg_stays_near_the_face():
    smooth = torch.arange(48, dtype=torch.uint8).expand(3, 48, 48).contiguous() * 4
    changed = change(face=smooth, jpeg=1)
    assert not torch.equal(changed, smooth)
    assert (changed.float() - smooth.float()).abs().mean() < 4


def test_affine_mirrors_what_comes_in_from_outside():
    bright = torch.full((3, 48, 48), 200, dtype=torch.uint8)
    assert all(torch.equal(change(seed, bright, affine=1), bright) for seed in range(50))
    assert not torch.equal(change(affine=1), FACE)


def test_each_operation_happens_as_often_as_asked():
    flipped = sum(torch.equal(change(seed, flip=0.3), FACE.flip(-1)) for seed in range(400))
    assert 90 < flipped < 150


@pytest.mark.parametrize("wrong", [{"blur": 0.5}, {"flip": 1.5}])
def test_wrong_settings_are_errors(wrong):
    with pytest.raises(ValueError, match="augmentation"):
        Augmentation(wrong)
