"""Attacks for comparison: compression as JPEG and as WebP, and what becomes of an uploaded photo."""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from sr_deepfake.attacks.base import Picture, PictureAttack, number, whole_number
from sr_deepfake.attacks.corruptions import scaled_down
from sr_deepfake.system.errors import choose

_CHROMA = ("4:2:0", "4:2:2", "4:4:4")


class JpegAttack(PictureAttack):
    """Saves each face as a JPEG (baseline, Pillow's libjpeg-turbo) and reads it again, on the CPU.

    Args:
        quality: 1 (worst) to 100, on the scale of libjpeg.
        chroma: `"4:2:0"` keeps one colour for four pixels, as cameras and web services do; `"4:2:2"` one for two;
            `"4:4:4"` one for each.
        severity: of which the configuration made the quality; not used.

    Raises:
        UserError: the quality is out of range, or `chroma` is not a choice.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> torch.equal(JpegAttack(quality=90)(face), face)  # a plain picture loses nothing
        True
    """

    kind = "jpeg"

    def __init__(self, quality: int, chroma: str = "4:2:0", severity: object = None) -> None:
        super().__init__()
        self.quality = whole_number(quality, "attack.quality", 1, 100)
        self.chroma = choose(chroma, _CHROMA, "attack.chroma")
        self.strength = f"q{self.quality}"
        self.variant = "" if self.chroma == _CHROMA[0] else self.chroma.replace(":", "")

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        return _saved(picture, "JPEG", quality=self.quality, subsampling=self.chroma)


class WebpAttack(PictureAttack):
    """Saves each face as a lossy WebP (Pillow's libwebp, method 4) and reads it again, on the CPU.

    WebP predicts blocks from their neighbours and smooths their borders, so that it leaves other traces than JPEG. Its
    colours are always 4:2:0.

    Args:
        quality: 0 (worst) to 100, on the scale of libwebp.
        severity: of which the configuration made the quality; not used.

    Raises:
        UserError: the quality is out of range.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> torch.equal(WebpAttack(quality=90)(face), face)  # a plain picture loses nothing
        True
    """

    kind = "webp"

    def __init__(self, quality: int, severity: object = None) -> None:
        super().__init__()
        self.quality = whole_number(quality, "attack.quality", 0, 100)
        self.strength = f"q{self.quality}"

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        return _saved(picture, "WEBP", quality=self.quality, method=4)


class UploadAttack(PictureAttack):
    """Does what social networks do to a photo: scales a face down, saves it as a JPEG, shows it as large as before.

    "Most social networks resize and compress images to satisfy their internal constraints" (IEEE Video and Image
    Processing Cup 2022, grip-unina.github.io/vipcup2022). By how much, none of them says, and it changes: the numbers
    here are to be chosen. 75 is libjpeg's own default.

    Args:
        factor: how many times smaller a face is kept (area average); above 1, 100 at most. It is enlarged bicubically.
        quality: of the JPEG (4:2:0), 1 (worst) to 100.

    Raises:
        UserError: factor or quality is out of range.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> attack = UploadAttack()
        >>> torch.equal(attack(face), face), attack.name  # a plain picture loses nothing
        (True, 'upload-x1.5-q75')
    """

    kind = "upload"

    def __init__(self, factor: float = 1.5, quality: int = 75) -> None:
        super().__init__()
        self.factor = number(factor, "attack.factor", above=1, high=100)
        self.quality = whole_number(quality, "attack.quality", 1, 100)
        self.strength = f"x{self.factor:g}-q{self.quality}"

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        height, width = picture.shape[:2]
        kept = scaled_down(picture, self.factor)
        saved = _saved(kept, "JPEG", quality=self.quality, subsampling=_CHROMA[0]).astype(np.float32)
        return cv2.resize(saved, (width, height), interpolation=cv2.INTER_CUBIC)


def _saved(picture: Picture, kind: str, **options: Any) -> Picture:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, kind, **options)
    return np.asarray(Image.open(file))
