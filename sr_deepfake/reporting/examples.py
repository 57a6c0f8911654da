"""Faces that the attack turned: fakes found clean and missed attacked, false alarms (the paper's figure 3)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sr_deepfake.metrics.functional import THRESHOLD
from sr_deepfake.reporting.report_cells import ReportCell

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
        cell: name of the results.
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

    cell: str
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


def example_of(cell: ReportCell, turned: Turned, clean: Picture, attacked: Picture) -> Example:
    """Put a face's scores and pictures together."""
    return Example(
        cell=cell.name,
        model=cell.model,
        forgery=cell.tested_on,
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
