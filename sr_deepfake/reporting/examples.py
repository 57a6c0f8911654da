"""Faces that the attack turned: fakes found clean and missed attacked, false alarms (the paper's figure 3)."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.functional import THRESHOLD
from sr_deepfake.reporting.numbers import model_name

Picture = npt.NDArray[np.uint8]  # S×S×3, RGB
MISSED, FALSE_ALARM = "missed", "false alarm"
KINDS = {MISSED: 1, FALSE_ALARM: 0}  # label of the faces
AMPLIFIED = 8  # the difference is shown so many times as large, around grey


@dataclass(frozen=True)
class Turned:
    """A face whose decision the attack turned from right to wrong.

    Attributes:
        kind: "missed" (a fake) or "false alarm" (a pristine face).
        face_id: of the manifest.
        score: probability of fake, clean.
        score_attacked: the same, attacked.
        ssim: how alike the attacked face is to the clean one.
    """

    kind: str
    face_id: str
    score: float
    score_attacked: float
    ssim: float


@dataclass(frozen=True)
class Example:
    """A face whose decision the attack turned from right to wrong, and its pictures.

    Attributes:
        result: name of the results.
        model: short name.
        forgery: the method whose fakes the detector finds.
        kind: "missed" (a fake) or "false alarm" (a pristine face).
        face_id: of the manifest.
        score: probability of fake, clean.
        score_attacked: the same, attacked.
        clean: S×S×3 uint8, RGB.
        attacked: the same face attacked.
        difference: attacked − clean, `AMPLIFIED` times, around grey (128).
    """

    result: str
    model: str
    forgery: str
    kind: str
    face_id: str
    score: float
    score_attacked: float
    clean: Picture
    attacked: Picture
    difference: Picture


def turned_faces(predictions: pd.DataFrame, kind: str, count: int) -> list[Turned]:
    """The faces that the attack turned, those whose score moved furthest first, one a video at most.

    Args:
        predictions: the table of predictions, attacked.
        kind: "missed" or "false alarm".
        count: at most so many.
    """
    label = KINDS[kind]
    faces = predictions[predictions["label"] == label]
    direction = -1 if label == 1 else 1
    right = (faces["score"] > THRESHOLD) == (label == 1)
    wrong = (faces["score_attacked"] > THRESHOLD) != (label == 1)
    turned = faces[right & wrong]
    moved = direction * (turned["score_attacked"] - turned["score"])
    ranked = turned.assign(moved=moved).sort_values(["moved", "face_id"], ascending=[False, True])
    chosen = ranked.drop_duplicates("video_id").head(count)
    columns = (chosen[name].tolist() for name in ("face_id", "score", "score_attacked", "ssim"))
    return [Turned(kind, *values) for values in zip(*columns, strict=True)]


def example_of(result: Result, turned: Turned, clean: Picture, attacked: Picture) -> Example:
    """Put a face's scores and pictures together."""
    return Example(
        result=result.name,
        model=result.model,
        forgery=result.tested_on,
        kind=turned.kind,
        face_id=turned.face_id,
        score=turned.score,
        score_attacked=turned.score_attacked,
        clean=clean,
        attacked=attacked,
        difference=amplified(clean, attacked),
    )


def amplified(clean: Picture, attacked: Picture) -> Picture:
    """The difference, `AMPLIFIED` times, around grey.

    Example:
        >>> amplified(np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 13, np.uint8)).tolist()
        [[[152, 152, 152]]]
    """
    difference = attacked.astype(np.int64) - clean.astype(np.int64)
    return (128 + AMPLIFIED * difference).clip(0, 255).astype(np.uint8)


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
