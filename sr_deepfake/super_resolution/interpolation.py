"""Enlarging without a network: what a super-resolution network is compared with."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_deepfake.system.errors import choose

_LOBES = 3  # Lanczos-3: pixels that count on each side


class Interpolation(nn.Module):
    """Enlarges by interpolation, in the place of a super-resolution network.

    Used as a control: an attack with it has the same down-scaling and rounding, and no network. Bicubic is
    Keys' kernel with a = -0.75, as in OpenCV; Lanczos is Lanczos-3, as in Pillow. Both run past the range at
    edges, as a network does: the attack clips.
    """

    def __init__(self, scale: int = 2, mode: str = "bicubic") -> None:
        super().__init__()
        self.scale = scale
        self.mode = choose(mode, ("nearest", "bilinear", "bicubic", "lanczos"), "sr_model.mode")
        self.name = mode

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge B×3×h×w of any range to B×3×Kh×Kw (bicubic and Lanczos: a little beyond the range)."""
        if self.mode == "lanczos":
            return _lanczos(_lanczos(images, self.scale, dim=3), self.scale, dim=2)
        align = None if self.mode == "nearest" else False
        return F.interpolate(images, scale_factor=float(self.scale), mode=self.mode, align_corners=align)

    def extra_repr(self) -> str:
        """The scale and the mode, in the module's printed form."""
        return f"scale={self.scale}, mode={self.mode!r}"


def resized(images: Tensor, height: int, width: int, mode: str = "bilinear") -> Tensor:
    """Bring B×3×H×W to another size in px; where that is smaller, the kernel is as wide as what becomes one pixel."""
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, (height, width), mode=mode, align_corners=False, antialias=True)


def _lanczos(images: Tensor, scale: int, dim: int) -> Tensor:
    """Enlarge K times along one dimension."""
    shape = [1, 1, 1, 1]
    shape[dim] = -1
    # A sum over taps, not a matrix product: autocast leaves it alone, and no face depends on its neighbours.
    taps = [
        images.index_select(dim, pixels.to(images.device)) * weights.to(images).view(shape)
        for pixels, weights in _taps(images.shape[dim], scale)
    ]
    return torch.stack(taps).sum(0)


@functools.lru_cache(maxsize=64)
def _taps(length: int, scale: int) -> list[tuple[Tensor, Tensor]]:
    """For each of the taps of the kernel: the pixel that each result takes, and its weight."""
    centre = (torch.arange(length * scale, dtype=torch.float64) + 0.5) / scale - 0.5
    pixels = centre.floor().long()[:, None] + torch.arange(1 - _LOBES, 1 + _LOBES)
    distance = centre[:, None] - pixels
    weights = torch.sinc(distance) * torch.sinc(distance / _LOBES)
    weights = weights * ((pixels >= 0) & (pixels < length) & (distance.abs() < _LOBES))
    weights = weights / weights.sum(1, keepdim=True)
    pixels = pixels.clamp(0, length - 1)
    return list(zip(pixels.T.contiguous(), weights.T.contiguous(), strict=True))
