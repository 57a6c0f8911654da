import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sr_deepfake.super_resolution.networks import Padded


class Nearest(nn.Module):
    """Enlarges by repetition and notes the sides that it was given."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.seen = None

    def forward(self, images):
        self.seen = images
        return images.repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    scale=st.integers(2, 4),
    multiple=st.integers(1, 16),
    minimum=st.integers(1, 24),
    square=st.booleans(),
)
def test_the_network_gets_what_suits_it_and_the_picture_comes_back_whole(
    height, width, scale, multiple, minimum, square
):
    inner = Nearest(scale)
    images = torch.rand(2, 3, height, width)
    result = Padded(inner, scale, multiple, minimum, square)(images)
    assert torch.equal(result, Nearest(scale)(images))
    sides = inner.seen.shape[-2:]
    assert all(side % multiple == 0 and side >= minimum for side in sides)
    assert not square or sides[0] == sides[1]
    assert square or all(
        side - given < max(multiple, minimum - given + multiple)
        for side, given in zip(sides, (height, width), strict=True)
    )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (16, 2)])
def test_it_continues_by_the_mirror_image(height, width):
    inner = Nearest(2)
    images = torch.rand(1, 3, height, width)
    Padded(inner, 2, multiple=16)(images)
    expected = np.pad(images[0], ((0, 0), (0, -height % 16), (0, -width % 16)), mode="symmetric")
    np.testing.assert_array_equal(inner.seen[0], expected)


def test_sizes_that_suit_are_passed_on_untouched():
    inner = Nearest(2)
    images = torch.rand(1, 3, 8, 16)
    Padded(inner, 2, multiple=8)(images)
    assert inner.seen is images
