import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.metrics.spectrum import BANDS, RINGS, in_band, radial_power, ring_centres


def test_it_is_the_transform_of_the_definition():
    """Every frequency by a sum over all pixels, as the definition of the transform has it."""
    height, width = 9, 12
    faces = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    luma = 255 * (0.299 * faces[0, 0] + 0.587 * faces[0, 1] + 0.114 * faces[0, 2]).double().numpy()
    window = np.outer(np.hanning(height), np.hanning(width))
    seen = (luma - (luma * window).sum() / window.sum()) * window
    rows, columns = np.mgrid[:height, :width]
    rings = [[] for _ in range(RINGS)]
    for u in range(height):
        for v in range(width):
            wave = np.exp(-2j * np.pi * (u * rows / height + v * columns / width))
            frequency = np.hypot(min(u, height - u) / height, min(v, width - v) / width)
            if frequency < 0.5:
                rings[int(frequency * 2 * RINGS)].append(abs((seen * wave).sum()) ** 2 / (window**2).sum())
    found = radial_power(faces)[0]
    for ring, power in zip(rings, found, strict=True):
        assert np.isnan(power) if not ring else power == pytest.approx(np.mean(ring), rel=1e-6)


def test_a_wave_shows_at_its_frequency():
    wave = 0.5 + 0.2 * torch.cos(2 * torch.pi * 0.2 * torch.arange(200.0)).expand(1, 3, 200, 200)
    assert ring_centres()[radial_power(wave)[0].argmax()] == pytest.approx(0.2, abs=1 / (2 * RINGS))


@given(st.integers(8, 40), st.integers(0, 99))
def test_the_bands_add_up_to_the_change_and_overlap_nowhere(side, seed):
    change = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed))
    parts = [in_band(change, *band) for band in BANDS]
    torch.testing.assert_close(sum(parts), change, rtol=0, atol=1e-5)
    for first, second in itertools.pairwise(BANDS):
        assert first[1] == second[0]
        assert in_band(in_band(change, *first), *second).abs().max() < 1e-5
