"""Faces in whole pictures: their squares are found, cut, attacked as the face crops of a data set are, and put back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sr_deepfake.data.extraction.cropping import Crop, square_crop
from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector

Picture = NDArray[np.uint8]  # H×W×3, RGB
AttackFaces = Callable[[Sequence[Picture]], list[Picture]]

MAX_PIXELS = 4_000_000  # of faces that are floating-point numbers at once: 48 MB
EVERY = 5  # frames of a video, of which the first is searched whole
CROWD = 6  # faces; to follow more takes as long as to search the whole frame
OTHER_SCENE = 25.0  # grey levels by which frames differ in the mean where another scene begins
_THUMBNAIL = (32, 18)  # px, in which that is measured


@dataclass(frozen=True)
class FoundFaces:
    """The faces of one picture."""

    crops: list[Crop]  # their squares, largest first; each lies inside the picture
    too_small: int = 0  # how many more there are that are too small to be attacked


Find = Callable[[Sequence[Picture]], list[FoundFaces]]  # of pictures, one entry a picture


@dataclass
class FaceFinder:
    """Finds the squares to attack, cut as the face crops of a data set are (`square_crop`)."""

    detector: FaceDetector
    min_side: int = 24
    margin: float = 0.1
    multiple: int = 24

    def __post_init__(self) -> None:
        for name, least in (("min_side", 0), ("margin", 0), ("multiple", 1)):
            if not (value := getattr(self, name)) >= least:
                raise ValueError(f"{name} must be at least {least}, not {value}")

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
        # Where squares overlap, each is cut before any is put back, and the smaller face, put back last, stays whole.
        crops.sort(key=lambda crop: (-crop.side, crop.top, crop.left))
        return FoundFaces(crops, too_small=len(faces) - len(crops))


class Following:
    """Finds the faces of one video's frames, in their order: everywhere now and then, in between around the known ones."""

    def __init__(self, finder: FaceFinder) -> None:
        self.finder = finder
        self._since = EVERY  # frames since the last one that was searched whole
        self._known: list[Detection] = []
        self._thumbnail: NDArray[np.float32] | None = None

    def __call__(self, frames: Sequence[Picture]) -> list[FoundFaces]:
        """Find the faces of the next frames; one entry a frame."""
        return [self.finder.squares(frame, self._faces(frame)) for frame in frames]

    def _faces(self, frame: Picture) -> list[Detection]:
        whole = self._is_other_scene(frame) or self._since >= EVERY or len(self._known) > CROWD
        if not whole:
            found = self.finder.detector.around(frame, self._known) if self._known else []
            whole = not all(any(_is_near(each, known) for each in found) for known in self._known)
        if whole:
            (found,) = self.finder.detector.all([frame])
            self._since = 0
        self._known = found
        self._since += 1
        return found

    def _is_other_scene(self, frame: Picture) -> bool:
        small = cv2.resize(frame, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._thumbnail = self._thumbnail, small
        return before is None or float(np.abs(small - before).mean()) > OTHER_SCENE


def _is_near(face: Detection, known: Detection) -> bool:
    """Whether the middle of a face lies in the box of a known one."""
    left, top, right, bottom = known.box
    middle = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    return left <= middle[0] <= right and top <= middle[1] <= bottom


def whole_frames(frames: Sequence[Picture]) -> list[FoundFaces]:
    """Cover each picture with squares as large as it allows, the last ones at its far ends: all of it is attacked."""
    found = []
    for frame in frames:
        side = min(frame.shape[:2]) // 2 * 2 or 1  # of video, colours are kept for 2 × 2 pixels
        starts = [sorted({*range(0, length - side + 1, side), length - side}) for length in frame.shape[:2]]
        found.append(FoundFaces([Crop(left, top, side) for top in starts[0] for left in starts[1]]))
    return found


def cut(frame: Picture, crop: Crop) -> Picture:
    """The square of a picture, `S×S×C`, as a copy."""
    return frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side].copy()


def attack_crops(attack: nn.Module, crops: Sequence[Picture], device: torch.device | str = "cpu") -> list[Picture]:
    """Attack face crops of any sides, those of one side together: what the attack does to them in a data set."""
    attacked: dict[int, Picture] = {}
    for same in of_one_side(crops):
        count = max(1, MAX_PIXELS // len(crops[same[0]]) ** 2)
        for start in range(0, len(same), count):
            chosen = same[start : start + count]
            with torch.inference_mode():
                levels = (attack(as_faces([crops[i] for i in chosen]).to(device)) * 255).round()
            result = levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
            attacked.update(zip(chosen, result, strict=True))
    return [attacked[i] for i in range(len(crops))]


def of_one_side(crops: Sequence[Picture]) -> list[list[int]]:
    """The positions of the crops of each side."""
    positions: dict[int, list[int]] = {}
    for i, crop in enumerate(crops):
        positions.setdefault(len(crop), []).append(i)
    return list(positions.values())


def as_faces(crops: Sequence[Picture]) -> Tensor:
    """Crops of one side as the faces of a data set are made: float32 `B×3×S×S` in [0, 1]."""
    levels = torch.from_numpy(np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2)))
    return levels.float() / 255  # on the CPU: a GPU can miss the last bit


def paste(frame: Picture, crop: Crop, face: Picture, feather: int = 0) -> None:
    """Put a face into a picture, in place; nothing outside its square changes."""
    if face.shape != (crop.side, crop.side, frame.shape[2]):
        raise ValueError(f"a face of shape {face.shape} for a square of {crop.side} px in {frame.shape}")
    if feather < 0:
        raise ValueError(f"feather must be at least 0 px, not {feather}")
    square = frame[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    weight = feathered(crop, frame.shape[0], frame.shape[1], feather)[:, :, None]
    square[:] = np.rint(weight * face + (1 - weight) * square)


def feathered(crop: Crop, height: int, width: int, feather: int) -> NDArray[np.float64]:
    """The face's share of each pixel of its square in a picture of this size, from 1 / (feather + 1) at the border to 1."""
    index, nearest = np.arange(1, crop.side + 1), []
    for start, length in ((crop.top, height), (crop.left, width)):
        first = index if start > 0 else index + feather  # nothing blends in at the picture's own edge
        last = index[::-1] if start + crop.side < length else index[::-1] + feather
        nearest.append(np.minimum(first, last))
    shares: NDArray[np.float64] = np.minimum.outer(*nearest) / (feather + 1)
    return shares.clip(max=1.0)
