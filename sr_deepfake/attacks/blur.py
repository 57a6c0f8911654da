"""Gaussian blur."""

import cv2
import numpy as np
from torch import Tensor

from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.faces import Picture, attack_pictures
from sr_deepfake.attacks.strength import number, of_severity

# DeeperForensics-1.0 (Jiang et al. 2020): kernels of 7, 9, 13, 17 and 21 px, whose sigma is a sixth of that.
SEVERITIES = (1.17, 1.5, 2.17, 2.83, 3.5)


class BlurAttack(Attack):
    """Blurs each face with a Gaussian, in float32, cut off at four standard deviations, on the CPU.

    Beyond its border a face is mirrored about its outermost pixels (OpenCV's `BORDER_REFLECT_101`).

    Args:
        sigma: the Gaussian's standard deviation, in pixels of the face; above 0, 100 at most.
        severity: 1 to 5, where sigma is not given.

    Raises:
        UserError: severity or sigma is out of range.

    Example:
        >>> import torch
        >>> face = torch.zeros(1, 3, 9, 9)
        >>> face[..., 4, 4] = 1
        >>> (BlurAttack(sigma=1.0)(face)[0, 0, 4, 2:7] * 255).tolist()  # 255 · exp(-x² / 2) / 2π
        [5.0, 25.0, 41.0, 25.0, 5.0]
    """

    kind = "blur"

    def __init__(self, sigma: float | None = None, severity: int = 3) -> None:
        super().__init__()
        sigma = of_severity(sigma, severity, SEVERITIES, "attack.sigma")
        self.sigma = number(sigma, "attack.sigma", above=0, high=100)
        self.strength = f"s{self.sigma:g}"

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        return attack_pictures(faces, self._blur)

    def _blur(self, picture: Picture) -> Picture:
        # On 8-bit pictures OpenCV rounds the kernel to 1/256, which cuts the tails of a wide one: hence float32.
        levels = picture.astype(np.float32)
        side = 2 * int(4 * self.sigma + 0.5) + 1
        return cv2.GaussianBlur(levels, (side, side), self.sigma, borderType=cv2.BORDER_REFLECT_101)

    def extra_repr(self) -> str:
        """Say the settings in the module's printed form."""
        return f"sigma={self.sigma}"
