"""Finds the faces of every frame of a video, or the largest only: the MTCNN of facenet-pytorch, from coarse to fine.

The networks, their weights and the cascade (Zhang et al., "Joint face detection and alignment using
multi-task cascaded convolutional networks", 2016) are facenet-pytorch's. Three things make it several times
as fast as calling `facenet_pytorch.MTCNN` frame by frame, with the same boxes:

- Where only the largest face is wanted, the image pyramid of the first network is walked from its small end, which
  finds large faces; its large end, where nearly all the time goes, is visited only for frames whose face is
  not yet found.
- All frames of a video go through the networks together.
- Every level and every crop is a set of area means; they are read from one integral image of each frame.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from numpy.typing import NDArray

from sr_deepfake.data.extraction.mtcnn_boxes import (
    Boxes,
    Integral,
    area_means,
    clip_to_frame,
    merge_levels,
    move_by_regression,
    square_boxes,
    suppress_contained,
    suppress_overlapping,
    window_around,
)
from sr_deepfake.system.hardware import exact_float32

Frame = NDArray[np.uint8]

WINDOW = 12  # side of the first network's window, px
FACTOR = 0.709  # between two levels of the pyramid, as in facenet-pytorch
OPENING = (4, 2, 0)  # the pyramid is opened in three steps: faces from 79, 40 and 20 px, if min_face is 20
COARSE = 16  # px of a level, of which the windows' sides are multiples
STRIDE = 2  # between two positions of the first network's window
LIKE = (1 / 3, 2.5)  # sides of a known face: how large the faces are that are looked for around it,
SURROUNDING, ROOM = 1.25, 2.0  # in a window of so many sides of it, and so many of the faces looked for
CLEARANCE = 1.7  # a face settles its frame when it is this much larger than the step's smallest


@dataclass(frozen=True)
class Detection:
    """A face in a frame."""

    box: tuple[float, float, float, float]  # left, top, right, bottom in px; may reach beyond the frame
    probability: float  # the last network's, that this is a face
    rivals: int = 0  # other faces of the frame that have more than a third of its area (counted by `largest` alone)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


class FaceDetector:
    """MTCNN for the faces of frames: the largest of each, or all."""

    def __init__(
        self,
        thresholds: Sequence[float] = (0.8, 0.8, 0.8),
        min_face: float = 20,
        device: str | torch.device = "cpu",
        share: float = 0.0,
    ) -> None:
        if len(thresholds) != 3 or not all(0 <= t <= 1 for t in thresholds):
            raise ValueError(f"thresholds must be three probabilities in [0, 1], not {thresholds!r}")
        if not min_face >= WINDOW:
            raise ValueError(f"min_face must be at least {WINDOW} px (the network's window), not {min_face!r}")
        self.thresholds = tuple(thresholds)
        self.min_face = float(min_face)
        self.share = share
        self.device = torch.device(device)
        with warnings.catch_warnings():
            # facenet-pytorch calls torch.load without weights_only, of which some torch versions warn.
            warnings.simplefilter("ignore", FutureWarning)
            self._networks = tuple(network().eval().to(self.device) for network in (PNet, RNet, ONet))

    @torch.inference_mode()
    def largest(self, frames: Sequence[Frame] | Frame) -> list[Detection | None]:
        """Find the largest face of each frame."""
        return [_with_rivals(faces) for faces in self._find(frames, OPENING)]

    @torch.inference_mode()
    def all(self, frames: Sequence[Frame] | Frame) -> list[list[Detection]]:
        """Find all faces of each frame: those that facenet-pytorch's `MTCNN(keep_all=True)` finds."""
        return self._find(frames, (0,))

    @torch.inference_mode()
    def around(self, frame: Frame, known: Sequence[Detection]) -> list[Detection]:
        """Find the faces near known ones, about as large: what `all` finds there, in a fraction of its time."""
        height, width = frame.shape[:2]
        integral = _integral(frame)
        proposals = []
        for scale in self._scales(height, width):
            shown = WINDOW / scale  # side of the faces that this level of the whole frame's pyramid shows, px
            for face in known:
                side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
                window = window_around(face.box, SURROUNDING * side + ROOM * shown, height, width)
                if window is not None and LIKE[0] * side <= shown <= LIKE[1] * side:
                    proposals += self._propose([integral], scale, window)
        if not any(map(len, proposals)):
            return []
        (found,) = self._refine([integral], [merge_levels(proposals)])
        return found

    def _find(self, frames: Sequence[Frame] | Frame, opening: Sequence[int]) -> list[list[Detection]]:
        """Find faces, the largest first; frames of one size go through the networks together."""
        for frame in frames:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise ValueError(f"frames must be uint8 arrays H×W×3, not {frame.dtype} {frame.shape}")
        found: list[list[Detection]] = [[] for _ in frames]
        for size in dict.fromkeys(frame.shape[:2] for frame in frames):
            integrals = {i: _integral(frame) for i, frame in enumerate(frames) if frame.shape[:2] == size}
            for i, faces in self._find_of_size(integrals, self._scales(*size), opening).items():
                found[i] = faces
        return found

    def _find_of_size(
        self, integrals: dict[int, Integral], scales: list[float], opening: Sequence[int]
    ) -> dict[int, list[Detection]]:
        """Open the pyramid step by step, for those frames whose largest face may still change."""
        found: dict[int, list[Detection]] = {}
        proposals: dict[int, list[Boxes]] = {i: [] for i in integrals}
        done = len(scales)
        for level in opening:
            if level >= len(scales) or not integrals:
                continue
            # Proposals of the coarser levels are kept: after the last step a frame has had the whole cascade.
            still = list(integrals.values())
            for scale in scales[level:done]:
                for i, boxes in zip(integrals, self._propose(still, scale), strict=True):
                    proposals[i].append(boxes)
            done = level
            found |= zip(integrals, self._refine(still, [merge_levels(proposals[i]) for i in integrals]), strict=True)
            # Near the smallest size that this step can find, a face is only just seen: a finer level places its box
            # better, and might see a larger face.
            enough = (WINDOW / scales[level] * CLEARANCE) ** 2
            integrals = {i: kept for i, kept in integrals.items() if not found[i] or found[i][0].area < enough}
        return found

    def _scales(self, height: int, width: int) -> list[float]:
        """Scales of the pyramid, finest first, as in facenet-pytorch."""
        scale = WINDOW / max(self.min_face, self.share * min(height, width))
        scales = []
        while min(height, width) * scale >= WINDOW:
            scales.append(scale)
            scale *= FACTOR
        return scales

    def _propose(
        self, integrals: list[Integral], scale: float, window: tuple[int, int, int, int] | None = None
    ) -> list[Boxes]:
        """First network on one level of the pyramid: for each frame `n×9` (box, probability, regression)."""
        height, width = integrals[0].shape[0] - 1, integrals[0].shape[1] - 1
        size = (int(height * scale + 1), int(width * scale + 1))
        left = top = 0
        part = slice(None), slice(None)
        if window is not None:
            left, across = _on_the_grid(int(window[0] * scale), int(window[2] * scale) + 2, size[1])
            top, down = _on_the_grid(int(window[1] * scale), int(window[3] * scale) + 2, size[0])
            part = down, across
        level = np.stack([area_means(integral, (0, 0, width, height), size, part) for integral in integrals])
        regression, probability = self._run(0, level)
        boxes_of_frames = []
        for frame_regression, frame_probability in zip(regression, probability[:, 1], strict=True):
            rows, columns = np.nonzero(frame_probability >= self.thresholds[0])
            corner = np.stack([columns, rows], axis=1) * STRIDE + np.array([left, top])
            boxes = np.concatenate(
                [
                    np.floor((corner + 1) / scale),
                    np.floor((corner + WINDOW) / scale),
                    frame_probability[rows, columns][:, None],
                    frame_regression[:, rows, columns].T,
                ],
                axis=1,
            ).astype(np.float32)
            boxes_of_frames.append(suppress_overlapping(boxes, 0.5))
        return boxes_of_frames

    def _refine(self, integrals: list[Integral], candidates: list[Boxes]) -> list[list[Detection]]:
        """Second and third network on the candidates: the faces of each frame, the largest first."""
        for stage, side in ((1, 24), (2, 48)):
            owner = np.repeat(np.arange(len(integrals)), [len(boxes) for boxes in candidates])
            boxes = square_boxes(np.concatenate(candidates)[:, :4])
            corners, inside = clip_to_frame(boxes, integrals[0].shape[0] - 1, integrals[0].shape[1] - 1)
            owner, boxes, corners = owner[inside], boxes[inside], corners[inside]
            if not len(boxes):
                return [[] for _ in integrals]
            parts = zip(owner, corners, strict=True)
            crops = [area_means(integrals[i], bounds, (side, side)) for i, bounds in parts]
            outputs = self._run(stage, np.stack(crops))
            regression, probability = outputs[0], outputs[-1][:, 1]
            passed = probability > self.thresholds[stage]
            boxes = np.concatenate([boxes, probability[:, None], regression], axis=1)[passed]
            candidates = [boxes[owner[passed] == i] for i in range(len(integrals))]
            if stage == 1:
                candidates = [move_by_regression(suppress_overlapping(boxes, 0.7)) for boxes in candidates]
        return [_detections(suppress_contained(move_by_regression(boxes), 0.7)) for boxes in candidates]

    def _run(self, stage: int, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run a network on images `N×H×W×3` in [0, 255], in slices that bound memory."""
        outputs = []
        with exact_float32(self.device.type):
            for start in range(0, len(images), 512):
                batch = torch.from_numpy(images[start : start + 512]).to(self.device).permute(0, 3, 1, 2)
                outputs.append(self._networks[stage]((batch - 127.5) * 0.0078125))
        return [torch.cat(parts).cpu().numpy() for parts in zip(*outputs, strict=True)]


def _on_the_grid(begin: int, end: int, length: int) -> tuple[int, slice]:
    """A stretch of a level that holds another: where it begins, a position of the network, and the stretch."""
    long = min(-(-(end - begin + STRIDE) // COARSE) * COARSE, length)
    start = max(0, min(begin, length - long)) // STRIDE * STRIDE
    return start, slice(start, start + long)


def _integral(frame: Frame) -> Integral:
    return cv2.integral(frame).astype(np.int32, copy=False)


def _detections(boxes: Boxes) -> list[Detection]:
    faces = [Detection((float(a), float(b), float(c), float(d)), float(p)) for a, b, c, d, p in boxes]
    return sorted(faces, key=lambda face: -face.area)


def _with_rivals(faces: list[Detection]) -> Detection | None:
    """The largest face, with how many others are about as large."""
    if not faces:
        return None
    # The step that settles a frame has seen all faces of 1 / CLEARANCE of the largest one's side.
    rivals = sum(face.area > faces[0].area / CLEARANCE**2 for face in faces) - 1
    return replace(faces[0], rivals=rivals)
