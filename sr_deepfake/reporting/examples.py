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
Map = npt.NDArray[np.float64]  # S×S, 0 to 1
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
        heat: where the detector looks in the clean face (Grad-CAM over it); None: that is not known.
        heat_attacked: the same in the attacked one, on the same scale.
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
    heat: Picture | None = None
    heat_attacked: Picture | None = None


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


def example_of(
    result: Result, turned: Turned, clean: Picture, attacked: Picture, maps: Sequence[Map] | None = None
) -> Example:
    """Put a face's scores and pictures together; `maps` say where the detector looks, clean and attacked, 0 to 1."""
    heat, heat_attacked = (
        (None, None) if maps is None else (heated(clean, maps[0]), heated(attacked, maps[1]))
    )
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
        heat=heat,
        heat_attacked=heat_attacked,
    )


def heated(picture: Picture, heat: Map) -> Picture:
    """A face in grey under a map of heat: the more, the brighter and yellower (matplotlib's "inferno").

    Args:
        picture: S×S×3 uint8, RGB.
        heat: S×S, 0 to 1.

    Example:
        >>> heated(np.full((1, 1, 3), 100, np.uint8), np.zeros((1, 1))).tolist()
        [[[100, 100, 100]]]
    """
    grey = picture @ np.array([0.299, 0.587, 0.114])
    colours = matplotlib.colormaps["inferno"](heat)[..., :3] * 255
    share = 0.75 * heat[..., None]
    mixed: npt.NDArray[np.float64] = grey[..., None] * (1 - share) + colours * share
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def amplified(clean: Picture, attacked: Picture) -> Picture:
    """The difference, `AMPLIFIED` times, around grey.

    Example:
        >>> amplified(np.full((1, 1, 3), 10, np.uint8), np.full((1, 1, 3), 13, np.uint8)).tolist()
        [[[152, 152, 152]]]
    """
    difference = attacked.astype(np.int64) - clean.astype(np.int64)
    return (128 + AMPLIFIED * difference).clip(0, 255).astype(np.uint8)


# All in pixels; 1,500 of them on a page's 7 inches make the text 10 points large.
WIDTH, GAP, TEXT = 1524, 12, 30
COLUMNS = 2  # examples a row; with maps of heat, one
_WORDS = {
    MISSED: "fakes found when clean and missed when attacked",
    "false alarm": "pristine faces that raise an alarm when attacked",
}


def example_sheet(examples: Sequence[Example], illustration: str | None = None) -> Image.Image:
    """Put one model's examples of one kind side by side: each clean, attacked, the difference, and maps of heat.

    Above a picture stands its score. Beside a pristine face stands the method of the detector that it alarms.

    Args:
        examples: one at least.
        illustration: the caption that says that figures are illustrations; stands below.

    Returns:
        An RGB picture, 1,524 px wide.
    """
    shown = [_columns(example) for example in examples]
    most = max(map(len, shown))
    beside = COLUMNS if most == 3 else 1
    side = (WIDTH - GAP) // (most * beside) - GAP
    room = 2 * TEXT + 8 + side + GAP  # of a row: two lines above a picture
    caption = textwrap.wrap(illustration or "", 96)
    height = TEXT + 2 * GAP + -(-len(examples) // beside) * room + len(caption) * TEXT + GAP
    sheet = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(sheet)
    title = f"{model_name(examples[0].model)}: {_WORDS[examples[0].kind]}"
    _text(draw, (WIDTH // 2, GAP + TEXT // 2), title)
    for place, columns in enumerate(shown):
        row, left = divmod(place, beside)
        top = TEXT + 2 * GAP + row * room
        for number, (name, score, picture) in enumerate(columns):
            x = GAP + (most * left + number) * (side + GAP)
            _text(draw, (x + side // 2, top + TEXT // 2), name)
            _text(draw, (x + side // 2, top + TEXT + TEXT // 2), score)
            face = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(face, (x, top + 2 * TEXT + 4))
    for number, line in enumerate(caption):
        _text(draw, (WIDTH // 2, height - GAP - (len(caption) - number) * TEXT + TEXT // 2), line)
    return sheet


def _columns(example: Example) -> list[tuple[str, str, Picture]]:
    """The pictures of an example, each with two lines above it."""
    face = example.forgery if example.kind == MISSED else f"pristine ({example.forgery})"
    columns = [
        (face, f"{example.score:.2f}", example.clean),
        ("attacked", f"{example.score_attacked:.2f}", example.attacked),
        ("difference", f"× {AMPLIFIED}", example.difference),
    ]
    if example.heat is not None and example.heat_attacked is not None:
        columns += [
            ("where it looks", "clean", example.heat),
            ("where it looks", "attacked", example.heat_attacked),
        ]
    return columns


def _text(draw: ImageDraw.ImageDraw, middle: tuple[int, int], words: str) -> None:
    """One line of words."""
    draw.text(middle, words, "black", _font(), anchor="mm")


@cache
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 20)
