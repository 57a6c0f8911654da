"""A photo before and after the attack, side by side, its faces framed and labelled."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import Picture

_YELLOW, _BLACK = (255, 196, 0), (0, 0, 0)
MAX_SIDE = 1280  # px, of one of the two
GAP = 4  # px


def side_by_side(
    before: Picture, after: Picture, crops: Sequence[Crop], labels: tuple[Sequence[str], Sequence[str]]
) -> Image.Image:
    """Both pictures (RGB `H×W×3`), scaled down to `MAX_SIDE`, with a frame and a label at each square of either."""
    scale = min(1.0, MAX_SIDE / max(before.shape[:2]))
    height, width = (max(1, round(length * scale)) for length in before.shape[:2])
    sheet = Image.new("RGB", (2 * width + GAP, height), "white")
    for number, (picture, texts) in enumerate(zip((before, after), labels, strict=True)):
        panel = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
        _mark(panel, crops, texts, scale)
        sheet.paste(panel, (number * (width + GAP), 0))
    return sheet


def _mark(image: Image.Image, crops: Sequence[Crop], texts: Sequence[str], scale: float) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(10, min(image.size) // 28))
    for crop in crops:
        box = np.array([crop.left, crop.top, crop.left + crop.side, crop.top + crop.side])
        left, top, right, bottom = (box * scale).round().astype(int).tolist()
        draw.rectangle((left - 1, top - 1, right, bottom), outline=_YELLOW, width=1)  # around the face, not over it
    for crop, text in zip(crops, texts, strict=False):
        left, top = round(crop.left * scale), round(crop.top * scale)
        width, height = (round(value) + 4 for value in draw.textbbox((0, 0), text, font)[2:])
        left, top = max(0, min(left - 1, image.width - width)), max(0, top - height - 1)
        draw.rectangle((left, top, left + width, top + height), fill=_YELLOW)
        draw.text((left + 2, top + 1), text, _BLACK, font)
