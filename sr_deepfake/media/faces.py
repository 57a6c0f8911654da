"""Faces in whole pictures: their squares are found, attacked, and put back.

A square is cut from the picture as it came, attacked as a face crop of a data set is, and put back at the same position.
Where squares overlap, each is cut before any is put back, and they are put back largest first: the smaller face, which
has fewer pixels to lose, stays whole, and the result does not depend on the order in which faces were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sr_deepfake.data.extraction.cropping import Crop, square_crop
from sr_deepfake.data.extraction.face_detection import Detection

Picture = NDArray[np.uint8]  # H×W×3, RGB
Level = TypeVar("Level", bound=np.unsignedinteger[Any])  # np.uint8 or np.uint16

MAX_PIXELS = 4_000_000  # of faces that are floating-point numbers at once: 48 MB


class Finds(Protocol):
    """Interface of a face detector."""

    def all(self, frames: Sequence[Picture]) -> list[list[Detection]]:
        """All faces of each frame."""

    def around(self, frame: Picture, known: Sequence[Detection]) -> list[Detection]:
        """The faces near known ones."""


@dataclass(frozen=True)
class FoundFaces:
    """The faces of one picture.

    Attributes:
        crops: their squares, largest first; each lies inside the picture.
        too_small: how many more there are that are too small to be attacked.
    """

    crops: list[Crop]
    too_small: int = 0


class FaceFinder:
    """Finds the squares to attack, cut as the face crops of a data set are (`square_crop`)."""

    def __init__(self, detector: Finds, min_side: int = 24, margin: float = 0.1, multiple: int = 24) -> None:
        if min_side < 0:
            raise ValueError(f"min_side must be at least 0, not {min_side}")
        self.detector = detector
        self.min_side = min_side
        self.margin = margin
        self.multiple = multiple

    def __call__(self, frames: Sequence[Picture]) -> list[FoundFaces]:
        """Find the faces of pictures (uint8 RGB `H×W×3`, sizes may differ); one entry a picture."""
        found = self.detector.all(frames)
        return [self.squares(frame, faces) for frame, faces in zip(frames, found, strict=True)]

    def squares(self, frame: Picture, faces: list[Detection]) -> FoundFaces:
        """The squares of faces of a picture."""
        height, width = frame.shape[:2]
        crops = []
        for face in faces:
            left, top, right, bottom = face.box
            crop = square_crop(face.box, height, width, self.margin, self.multiple)
            if crop is not None and max(right - left, bottom - top) >= self.min_side:
                crops.append(crop)
        crops.sort(key=lambda crop: (-crop.side, crop.top, crop.left))
        return FoundFaces(crops, too_small=len(faces) - len(crops))


class WholeFrames(FaceFinder):
    """Covers each picture with squares as large as it allows, whatever is in it: all of it is attacked, not faces alone."""

    def __init__(self) -> None:
        super().__init__(_Anywhere(), min_side=0)

    def squares(self, frame: Picture, faces: list[Detection]) -> FoundFaces:
        """The squares of a picture, the last ones at its far ends."""
        height, width = frame.shape[:2]
        side = min(height, width) // 2 * 2  # of video, colours are kept for 2 × 2 pixels
        starts = [sorted({*range(0, length - side + 1, side), length - side}) for length in (height, width)]
        return FoundFaces([Crop(left, top, side) for top in starts[0] for left in starts[1]])


class _Anywhere:
    """A face detector that takes the whole frame for a face."""

    def all(self, frames: Sequence[Picture]) -> list[list[Detection]]:
        return [self.around(frame, []) for frame in frames]

    def around(self, frame: Picture, known: Sequence[Detection]) -> list[Detection]:
        return [Detection((0.0, 0.0, float(frame.shape[1]), float(frame.shape[0])), 1.0)]


def cut(frame: NDArray[Level], crop: Crop) -> NDArray[Level]:
    """The square of a picture, `S×S×C`, as a copy."""
    return frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side].copy()


def attack_crops(
    attack: nn.Module, crops: Sequence[Picture], device: torch.device | str = "cpu", max_pixels: int = MAX_PIXELS
) -> list[Picture]:
    """Attack face crops of any sides, those of one side together: what the attack does to them in a data set."""
    attacked: dict[int, Picture] = {}
    for shape in dict.fromkeys(crop.shape for crop in crops):
        same = [i for i, crop in enumerate(crops) if crop.shape == shape]
        count = max(1, max_pixels // (shape[0] * shape[1]))
        for start in range(0, len(same), count):
            chosen = same[start : start + count]
            result = _attack(attack, np.stack([crops[i] for i in chosen]), device)
            attacked.update(zip(chosen, result, strict=True))
    return [attacked[i] for i in range(len(crops))]


def _attack(attack: nn.Module, crops: Picture, device: torch.device | str) -> Picture:
    # Made as the faces of a data set are: uint8 B×3×S×S, then divided on the CPU (a GPU can miss the last bit).
    faces = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2))).float() / 255
    with torch.inference_mode():
        levels = (attack(faces.to(device)) * 255).round()
    result: Picture = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return result


def paste(frame: NDArray[Level], crop: Crop, face: NDArray[Level], feather: int = 0) -> None:
    """Put a face into a picture, in place; nothing outside its square changes.

    >>> frame, face = np.zeros((3, 8, 1), np.uint8), np.full((3, 3, 1), 90, np.uint8)
    >>> paste(frame, Crop(left=2, top=0, side=3), face, feather=1)
    >>> frame[0, :, 0]
    array([ 0,  0, 45, 90, 45,  0,  0,  0], dtype=uint8)
    """
    if face.shape != (crop.side, crop.side, frame.shape[2]):
        raise ValueError(f"a face of shape {face.shape} for a square of {crop.side} px in {frame.shape}")
    if feather < 0:
        raise ValueError(f"feather must be at least 0 px, not {feather}")
    square = frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    if feather == 0:
        square[:] = face
        return
    weight = feathered(crop, frame.shape[0], frame.shape[1], feather)[:, :, None]
    square[:] = np.rint(weight * face + (1 - weight) * square)


def feathered(crop: Crop, height: int, width: int, feather: int) -> NDArray[np.float64]:
    """The face's share of each pixel of its square in a picture of this size, from 1 / (feather + 1) at the border to 1."""
    rows, columns = (
        _weights(start, crop.side, length, feather) for start, length in ((crop.top, height), (crop.left, width))
    )
    return np.minimum(rows[:, None], columns[None, :])


def _weights(start: int, side: int, length: int, feather: int) -> NDArray[np.float64]:
    index = np.arange(1, side + 1)
    first = index if start > 0 else np.full(side, feather + 1)
    last = index[::-1] if start + side < length else np.full(side, feather + 1)
    weights: NDArray[np.float64] = np.minimum(np.minimum(first, last) / (feather + 1), 1.0)
    return weights
