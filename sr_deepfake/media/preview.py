"""Two versions of a picture side by side, their faces framed and labelled."""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import Picture

_FRAME, _TEXT, _SHADE = (255, 196, 0), (0, 0, 0), (255, 196, 0)
MAX_SIDE = 1280  # px, of one of the two


def side_by_side(
    before: Picture,
    after: Picture,
    crops: Sequence[Crop],
    labels: tuple[Sequence[str], Sequence[str]] | None = None,
    max_side: int = MAX_SIDE,
) -> Picture:
    """A picture before and after, side by side.

    Args:
        before: RGB, `H×W×3`.
        after: of the same shape.
        crops: squares to frame in both; frames are drawn around them, not over them.
        labels: a text for each square, before and after.
        max_side: px; larger pictures are shown smaller.

    Returns:
        RGB; even height and width, as videos want them.

    Example:
        >>> black = np.zeros((40, 60, 3), np.uint8)
        >>> side_by_side(black, black, [Crop(10, 10, 24)], (["fake 0.91"], ["fake 0.12"])).shape
        (40, 124, 3)
    """
    scale = min(1.0, max_side / max(before.shape[:2]))
    height, width = (max(2, round(length * scale) // 2 * 2) for length in before.shape[:2])
    gap = 4
    sheet = np.full((height, 2 * width + gap, 3), 255, np.uint8)
    for picture, left, texts in zip((before, after), (0, width + gap), labels or ((), ()), strict=True):
        panel: Picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
        sheet[:, left : left + width] = _marked(panel, crops, texts, scale)
    return sheet


def _marked(picture: Picture, crops: Sequence[Crop], texts: Sequence[str], scale: float) -> Picture:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    size = max(10, min(image.size) // 28)
    font = ImageFont.load_default(size)
    for crop in crops:
        left, top, right, bottom = (
            round(value * scale) for value in (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)
        )
        draw.rectangle((left - 1, top - 1, right, bottom), outline=_FRAME, width=1)
    for crop, text in zip(crops, texts, strict=False):
        left, top = round(crop.left * scale), round(crop.top * scale)
        _, _, wide, high = draw.textbbox((0, 0), text, font)
        place = (max(0, min(left - 1, image.width - wide - 4)), max(0, top - high - 5))
        draw.rectangle((*place, place[0] + wide + 4, place[1] + high + 4), fill=_SHADE)
        draw.text((place[0] + 2, place[1] + 1), text, _TEXT, font)
    return np.array(image)
