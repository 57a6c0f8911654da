"""Similarity of two versions of a face: SSIM and PSNR, and PSNR as the paper's script computed it (table 3).

All take B×3×S×S faces in [0, 1] as 8-bit pictures (on the grid k/255) and return one float64 number a face.
"""

import torch
from torch import Tensor

WINDOW = 7  # scikit-image's default
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity, as scikit-image's `structural_similarity` computes it on 8-bit pictures."""
    x, y = _levels(first, second)
    if min(x.shape[2:]) < WINDOW:
        raise ValueError(f"SSIM needs faces of at least {WINDOW} px a side, these have {min(x.shape[2:])}")
    if x.device.type == "cpu" and len(x) > 1:  # one face's intermediates stay in the cache: three to six times as fast
        return torch.cat([_ssim(*pair) for pair in zip(x.split(1), y.split(1), strict=True)])
    return _ssim(x, y)


def _ssim(x: Tensor, y: Tensor) -> Tensor:
    n = WINDOW**2
    # Sums of whole numbers below 2^24 are exact in float32; only what follows needs float64.
    sum_x, sum_y, sum_xx, sum_yy, sum_xy = (_exact(_window_sums(values)) for values in (x, y, x * x, y * y, x * y))
    mean_x, mean_y = sum_x / n, sum_y / n
    var_x = (sum_xx - sum_x * mean_x) / (n - 1)
    var_y = (sum_yy - sum_y * mean_y) / (n - 1)
    cov = (sum_xy - sum_x * mean_y) / (n - 1)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    structure = (2 * cov + _C2) / (var_x + var_y + _C2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10·log10(255² / MSE), in dB (the paper's section 5.2)."""
    x, y = _levels(first, second)
    return _decibels(_exact((x - y) ** 2).mean(dim=(1, 2, 3)))


def psnr_wrapped(first: Tensor, second: Tensor) -> Tensor:
    """PSNR as the published script computes it, in dB: too high; to compare with the paper's table 3 only."""
    x, y = _levels(first, second)
    # (d mod 256)² mod 256 = d² mod 256, so wrapping once is enough: an error of 20² counts as 144.
    error = _exact(((x - y) ** 2) % 256).mean(dim=(1, 2, 3))
    return torch.where(error == 0, 100.0, _decibels(error))


def _levels(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures as whole numbers from 0 to 255, in float32."""
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
        raise ValueError(f"faces to compare have one shape B×3×S×S, not {tuple(first.shape)} and {tuple(second.shape)}")
    return (first.float() * 255).round(), (second.float() * 255).round()


def _window_sums(values: Tensor) -> Tensor:
    """Sums over all 7×7 windows, by adding shifted copies: several times as fast as pooling."""
    for dim in (2, 3):
        count = values.shape[dim] - WINDOW + 1
        two = values.narrow(dim, 0, count + 5) + values.narrow(dim, 1, count + 5)
        four = two.narrow(dim, 0, count + 3) + two.narrow(dim, 2, count + 3)
        values = four.narrow(dim, 0, count) + two.narrow(dim, 4, count) + values.narrow(dim, 6, count)
    return values


def _exact(values: Tensor) -> Tensor:
    """The values in float64, on the CPU where the device has no float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _decibels(mean_squared_error: Tensor) -> Tensor:
    return 10 * torch.log10(255**2 / mean_squared_error)
