"""Enlarging without a network: what a super-resolution network is compared with."""

import torch.nn.functional as F
from torch import Tensor, nn

from sr_deepfake.errors import choose


class Interpolation(nn.Module):
    """Enlarges by interpolation, in the place of a super-resolution network.

    Used as a control: an attack with it has the same down-scaling and rounding, and no network. Bicubic is
    Keys' kernel with a = -0.75, as in OpenCV. It runs past the range at edges, as a network does: the attack
    clips.

    Args:
        scale: K, how many times larger the result is a side.
        mode: `"nearest"`, `"bilinear"` or `"bicubic"`.

    Raises:
        UserError: the mode is none of the three.

    Example:
        >>> import torch
        >>> Interpolation(scale=2)(torch.full((1, 3, 12, 12), 0.5)).shape
        torch.Size([1, 3, 24, 24])
    """

    def __init__(self, scale: int = 2, mode: str = "bicubic") -> None:
        super().__init__()
        self.scale = scale
        self.mode = choose(mode, ("nearest", "bilinear", "bicubic"), "attack.module.sr_model.mode")

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge.

        Args:
            images: float tensor of shape B×3×h×w, any range.

        Returns:
            B×3×Kh×Kw, of the same type and range (bicubic: a little beyond it).
        """
        align = None if self.mode == "nearest" else False
        return F.interpolate(images, scale_factor=float(self.scale), mode=self.mode, align_corners=align)

    def extra_repr(self) -> str:
        """Say the scale and the mode in the module's printed form."""
        return f"scale={self.scale}, mode={self.mode!r}"
