"""A sheet of examples as one picture, for a paper or a talk (the paper's figure 3)."""

import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.reporting.examples import AMPLIFIED, MISSED, Example, Picture
from sr_deepfake.reporting.paper_tables import model_name

# All in pixels; 1,500 of them on a page's 7 inches make the text 10 points large.
SIDE, GAP, TEXT = 240, 12, 30
COLUMNS = 2  # examples a row
_ROOM = 2 * TEXT + 8 + SIDE + GAP  # of a row: two lines above a picture
_WORDS = {
    MISSED: "fakes found when clean and missed when attacked",
    "false alarm": "pristine faces that raise an alarm when attacked",
}


def example_sheet(examples: Sequence[Example], illustration: str | None = None) -> Image.Image:
    """Put one model's examples of one kind side by side: each clean, attacked, and the difference.

    Above a picture stands its score. Beside a pristine face stands the method of the detector that it alarms.

    Args:
        examples: one at least.
        illustration: the caption that says that figures are illustrations; stands below.

    Returns:
        An RGB picture, 1,500 px wide.
    """
    rows = -(-len(examples) // COLUMNS)
    width = 3 * COLUMNS * (SIDE + GAP) + GAP
    caption = textwrap.wrap(illustration or "", 96)
    height = TEXT + 2 * GAP + rows * _ROOM + len(caption) * TEXT + GAP
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    title = f"{model_name(examples[0].model)}: {_WORDS[examples[0].kind]}"
    _text(draw, (width // 2, GAP + TEXT // 2), title)
    for place, example in enumerate(examples):
        row, left = divmod(place, COLUMNS)
        face = example.forgery if example.kind == MISSED else f"pristine ({example.forgery})"
        columns: list[tuple[str, str, Picture]] = [
            (face, f"{example.score:.2f}", example.clean),
            ("attacked", f"{example.score_attacked:.2f}", example.attacked),
            ("difference", f"× {AMPLIFIED}", example.difference),
        ]
        top = TEXT + 2 * GAP + row * _ROOM
        for number, (name, score, picture) in enumerate(columns):
            x = GAP + (3 * left + number) * (SIDE + GAP)
            _text(draw, (x + SIDE // 2, top + TEXT // 2), name)
            _text(draw, (x + SIDE // 2, top + TEXT + TEXT // 2), score)
            shown = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(shown, (x, top + 2 * TEXT + 4))
    for number, line in enumerate(caption):
        _text(draw, (width // 2, height - GAP - (len(caption) - number) * TEXT + TEXT // 2), line)
    return sheet


def _text(draw: ImageDraw.ImageDraw, middle: tuple[int, int], words: str) -> None:
    """One line of words."""
    draw.text(middle, words, "black", _font(), anchor="mm")


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 20)
