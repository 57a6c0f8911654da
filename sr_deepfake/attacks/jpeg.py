"""JPEG: the face saved as one and read again."""

import io

import numpy as np
from PIL import Image
from torch import Tensor, nn

from sr_deepfake.attacks.faces import Picture, attack_pictures
from sr_deepfake.attacks.strength import whole_number
from sr_deepfake.errors import choose

_CHROMA = ("4:2:0", "4:2:2", "4:4:4")


class JpegAttack(nn.Module):
    """Saves each face as a JPEG (baseline, Pillow's libjpeg-turbo) and reads it again, on the CPU.

    Args:
        quality: 1 (worst) to 100, on the scale of libjpeg.
        chroma: `"4:2:0"` keeps one colour for four pixels, as cameras and web services do; `"4:2:2"` one for two;
            `"4:4:4"` one for each.

    Raises:
        UserError: the quality is out of range, or `chroma` is not a choice.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> torch.equal(JpegAttack(quality=90)(face), face)  # a plain picture loses nothing
        True
    """

    def __init__(self, quality: int = 75, chroma: str = "4:2:0") -> None:
        super().__init__()
        self.quality = whole_number(quality, "attack.quality", 1, 100)
        self.chroma = choose(chroma, _CHROMA, "attack.chroma")

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
