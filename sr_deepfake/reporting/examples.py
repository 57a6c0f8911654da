"""Faces whose decision the attack flipped (the paper's figure 3), from what the tests kept."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sr_deepfake.experiment.evidence import EVIDENCE, PICTURES, Evidence, FlippedFace
from sr_deepfake.reporting.grid import Entry
from sr_deepfake.reporting.published import model_name
from sr_deepfake.system.errors import UserError

Picture = npt.NDArray[np.uint8]  # S×S×3, RGB
AMPLIFIED = 8  # times that the difference is shown, around grey
_TITLES = {
    "missed": "fakes found when clean and missed when attacked",
    "false alarm": "pristine faces that raise an alarm when attacked",
}
# All in pixels; 1,500 of them on a page's 7 inches make the text 10 points large.
WIDTH, GAP, TEXT = 1524, 12, 30


@dataclass(frozen=True)
class Example:
    """A face whose decision the attack flipped, with its pictures."""

    entry: Entry  # whose test kept it
    face: FlippedFace
    # "clean", "attacked", "difference" (amplified, around grey); "heat" and "heat_attacked" (Grad-CAM) where they are known.
    pictures: dict[str, Picture]

    @property
    def change(self) -> float:
        """By how much the score moved."""
        return abs(self.face.score_attacked - self.face.score)


def examples_of(entry: Entry, evidence: Evidence, count: int) -> list[Example]:
    """At most `count` examples of each kind."""
    kept = []
    for kind in _TITLES:
        kept += [face for face in evidence.flipped if face.kind == kind][:count]
    return [Example(entry, face, _pictures(entry.result.folder / EVIDENCE, face)) for face in kept]


def _pictures(folder: Path, face: FlippedFace) -> dict[str, Picture]:
    found = {}
    for name in PICTURES:
        file = getattr(face, name)
        if file:
            try:
                with Image.open(folder / file, formats=["PNG"]) as picture:
                    found[name] = np.asarray(picture.convert("L" if "heat" in name else "RGB"))
            except (OSError, ValueError, Image.DecompressionBombError) as error:
                raise UserError(f"{folder / file} cannot be read ({error})") from None
    if found["clean"].shape != found["attacked"].shape or any(
        each.shape[:2] != found["clean"].shape[:2] for each in found.values()
    ):
        raise UserError(f"{folder}: the pictures of {face.face_id} are of different sizes")
    pictures = {name: found[name] for name in ("clean", "attacked")}
    pictures["difference"] = amplified(found["clean"], found["attacked"])
    for name, below in (("heat", "clean"), ("heat_attacked", "attacked")):
        if name in found:
            pictures[name] = overlay(found[below], found[name] / 255)
    return pictures


def overlay(picture: Picture, heat: npt.NDArray[np.float64]) -> Picture:
    """A face in grey under a heat map: the more, the brighter and yellower (matplotlib's "inferno")."""
    grey = picture @ np.array([0.299, 0.587, 0.114])
    colours = matplotlib.colormaps["inferno"](heat)[..., :3] * 255
    share = 0.75 * heat[..., None]
    mixed: npt.NDArray[np.float64] = grey[..., None] * (1 - share) + colours * share
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


def amplified(clean: Picture, attacked: Picture) -> Picture:
    """The difference, `AMPLIFIED` times, around grey."""
    difference = attacked.astype(np.int64) - clean.astype(np.int64)
    return (128 + AMPLIFIED * difference).clip(0, 255).astype(np.uint8)


def example_sheet(examples: Sequence[Example], illustration: str = "") -> Image.Image:
    """One model's examples of one kind: each clean, attacked, the difference, and where the detector looks."""
    shown = [_columns(example) for example in examples]
    most = max(map(len, shown))
    across = 2 if most == 3 else 1
    side = (WIDTH - GAP) // (most * across) - GAP
    row_height = 2 * TEXT + 8 + side + GAP  # two lines above a picture
    caption = textwrap.wrap(illustration, 96)
    height = TEXT + 2 * GAP + -(-len(examples) // across) * row_height + len(caption) * TEXT + GAP
    sheet = Image.new("RGB", (WIDTH, height), "white")
    draw = ImageDraw.Draw(sheet)
    draw.font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), 20)
    title = f"{model_name(examples[0].entry.model)}: {_TITLES[examples[0].face.kind]}"
    draw.text((WIDTH // 2, GAP + TEXT // 2), title, "black", anchor="mm")
    for number, columns in enumerate(shown):
        row, left = divmod(number, across)
        top = TEXT + 2 * GAP + row * row_height
        for column, (name, score, picture) in enumerate(columns):
            x = GAP + (most * left + column) * (side + GAP)
            draw.text((x + side // 2, top + TEXT // 2), name, "black", anchor="mm")
            draw.text((x + side // 2, top + TEXT + TEXT // 2), score, "black", anchor="mm")
            face = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(face, (x, top + 2 * TEXT + 4))
    for number, line in enumerate(caption):
        middle = height - GAP - (len(caption) - number) * TEXT + TEXT // 2
        draw.text((WIDTH // 2, middle), line, "black", anchor="mm")
    return sheet


def _columns(example: Example) -> list[tuple[str, str, Picture]]:
    """The pictures of an example, each with two lines above it."""
    face, method = example.face, example.entry.method
    words = {
        "clean": (method if face.kind == "missed" else f"pristine ({method})", f"{face.score:.2f}"),
        "attacked": ("attacked", f"{face.score_attacked:.2f}"),
        "difference": ("difference", f"× {AMPLIFIED}"),
        "heat": ("where it looks", "clean"),
        "heat_attacked": ("where it looks", "attacked"),
    }
    return [(*words[name], picture) for name, picture in example.pictures.items()]
