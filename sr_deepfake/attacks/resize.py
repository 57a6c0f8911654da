"""Resizing alone: down and up again, by any factor."""

import cv2
import numpy as np
from torch import Tensor

from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.faces import Picture, attack_pictures
from sr_deepfake.attacks.strength import number, of_severity
from sr_deepfake.errors import choose

_INTERPOLATIONS = {"bicubic": cv2.INTER_CUBIC, "bilinear": cv2.INTER_LINEAR}
# DeeperForensics-1.0 (Jiang et al. 2020), whose code does this under the name of JPEG compression (bilinearly).
SEVERITIES = (2, 3, 4, 5, 6)


class ResizeAttack(Attack):
    """Scales each face down (area average, rounded to 8 bits as a saved picture is) and up to its own size.

    With a whole factor that divides the face's sides, and `"bicubic"`, this is `SuperResolutionAttack` with
    `Interpolation` in the network's place. Unlike it, it takes any factor. It runs on the CPU, in OpenCV.

    Args:
        factor: how many times smaller a face gets, as 1.5 or 4; above 1, 100 at most. Its sides are rounded to
            whole pixels and stay 1 at least.
        interpolation: how it is enlarged, `"bicubic"` or `"bilinear"`.
        severity: 1 to 5, where the factor is not given.

    Raises:
        UserError: severity or factor is out of range, or the interpolation is not a choice.

    Example:
        >>> import torch
        >>> face = torch.tensor([0.0, 0.2, 0.4, 0.6]).expand(1, 3, 4, 4)
        >>> (ResizeAttack(factor=2, interpolation="bilinear")(face)[0, 0, 0] * 255).tolist()
        [26.0, 52.0, 102.0, 128.0]
    """

    def __init__(
        self, factor: float | None = None, interpolation: str = "bicubic", severity: int = 3
    ) -> None:
        super().__init__()
        factor = of_severity(factor, severity, SEVERITIES, "attack.factor")
        self.factor = number(factor, "attack.factor", above=1, high=100)
        self.interpolation = choose(interpolation, _INTERPOLATIONS, "attack.interpolation")
        self.kind = f"resize-{self.interpolation}"
        self.strength = f"x{self.factor:g}"

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        return attack_pictures(faces, self._down_and_up)

    def _down_and_up(self, picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        small_size = (max(1, round(width / self.factor)), max(1, round(height / self.factor)))
        small = cv2.resize(picture, small_size, interpolation=cv2.INTER_AREA).astype(np.float32)
        return cv2.resize(small, (width, height), interpolation=_INTERPOLATIONS[self.interpolation])

    def extra_repr(self) -> str:
        """Say the settings in the module's printed form."""
        return f"factor={self.factor}, interpolation={self.interpolation!r}"
