"""JPEG: the face saved as one and read again."""

import io

import numpy as np
from PIL import Image
from torch import Tensor

from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.faces import Picture, attack_pictures
from sr_deepfake.attacks.strength import of_severity, whole_number
from sr_deepfake.errors import choose

_CHROMA = ("4:2:0", "4:2:2", "4:4:4")
# Hendrycks & Dietterich 2019 (ImageNet-C): mild to severe.
SEVERITIES = (25, 18, 15, 10, 7)


class JpegAttack(Attack):
    """Saves each face as a JPEG (baseline, Pillow's libjpeg-turbo) and reads it again, on the CPU.

    Args:
        quality: 1 (worst) to 100, on the scale of libjpeg.
        chroma: `"4:2:0"` keeps one colour for four pixels, as cameras and web services do; `"4:2:2"` one for two;
            `"4:4:4"` one for each.
        severity: 1 to 5, where the quality is not given.

    Raises:
        UserError: severity or quality is out of range, or `chroma` is not a choice.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> torch.equal(JpegAttack(quality=90)(face), face)  # a plain picture loses nothing
        True
    """

    kind = "jpeg"

    def __init__(self, quality: int | None = None, chroma: str = "4:2:0", severity: int = 3) -> None:
        super().__init__()
        quality = of_severity(quality, severity, SEVERITIES, "attack.quality")
        self.quality = whole_number(quality, "attack.quality", 1, 100)
        self.chroma = choose(chroma, _CHROMA, "attack.chroma")
        self.strength = f"q{self.quality}"
        self.variant = "" if self.chroma == _CHROMA[0] else self.chroma.replace(":", "")

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        return attack_pictures(faces, self._save_and_read)

    def _save_and_read(self, picture: Picture) -> Picture:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=self.quality, subsampling=self.chroma)
        return np.asarray(Image.open(file))

    def extra_repr(self) -> str:
        """Say the settings in the module's printed form."""
        return f"quality={self.quality}, chroma={self.chroma!r}"
