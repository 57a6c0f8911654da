"""Frequencies of faces: the power of each, and what an attack changes in a band of them."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

RINGS = 32  # of the spectrum, of equal width, from 0 to half a cycle per pixel
# Octaves, in cycles per pixel. What lies beyond 0.5, in the spectrum's corners, is with the last.
BANDS = ((0.0, 1 / 16), (1 / 16, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1.0))
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def ring_centres() -> npt.NDArray[np.float64]:
    """The frequencies in the middle of the rings, in cycles per pixel."""
    return (np.arange(RINGS) + 0.5) / (2 * RINGS)


def radial_power(faces: Tensor) -> npt.NDArray[np.float64]:
    """Power of each ring of frequencies, averaged over directions."""
    height, width = faces.shape[-2:]
    luma = 255 * (faces.double() * faces.new_tensor(_LUMA, dtype=torch.float64).view(1, 3, 1, 1)).sum(1)
    rows, columns = (torch.hann_window(n, periodic=False, dtype=torch.float64) for n in (height, width))
    window = torch.outer(rows, columns).to(luma.device)
    flat = luma - (luma * window).sum((1, 2), keepdim=True) / window.sum()
    power = torch.fft.fft2(flat * window).abs().square() / window.square().sum()
    ring = (frequencies(height, width) * 2 * RINGS).long()
    counted = [power[:, (ring == index).to(power.device)].mean(1) for index in range(RINGS)]
    return torch.stack(counted, 1).cpu().numpy()


def frequencies(height: int, width: int) -> Tensor:
    """The frequency of each entry of a two-dimensional transform, H×W, in cycles per pixel."""
    rows, columns = (torch.fft.fftfreq(length, dtype=torch.float64) for length in (height, width))
    return torch.hypot(rows[:, None], columns[None])


def in_band(change: Tensor, low: float, high: float) -> Tensor:
    """The part of a change whose frequencies lie in [low, high)."""
    frequency = frequencies(*change.shape[-2:]).to(change.device)
    kept = (frequency >= low) & (frequency < high)
    part: Tensor = torch.fft.ifft2(torch.fft.fft2(change.double()) * kept).real
    return part.to(change.dtype)
