"""Frames of a video, and the face of each that is taken: the one that a mask covers, or the largest."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector, Frame
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.video import DrawnFrames, frames_at, read_frames, read_photo
from sr_deepfake.data.manifest import Video
from sr_deepfake.system.errors import SourceError
from sr_deepfake.system.photos import is_photo

MOST_DRAWN = 1000  # frames of a video that are looked at, until enough faces are found
MOST_AT_ONCE = 32  # frames that are decoded before faces are looked for: 200 MB at 1080p
WHITE = 128  # of a mask's values 0 to 255: manipulated from here on; compression leaves grey edges

_detector = functools.lru_cache(maxsize=1)(FaceDetector)


@dataclass(frozen=True)
class Look:
    """A frame that was looked at: a single pixel of it, and in words `why`, where there is no face."""

    frame: int
    image: Frame
    face: Detection | None
    why: str


def look_for_faces(video: Video, settings: ExtractionSettings, device: str) -> tuple[int, list[Look]]:
    """Look for faces in frames, drawn until so many are found as are wanted, or the frames run out."""
    looked_at: list[Look] = []
    faces, count = 0, settings.frames
    n_frames: int | None = None
    while True:
        if is_photo(video.path):
            drawn = read_photo(video.path)
        else:
            drawn = read_frames(video.path, count, settings.min_frames, settings.seed, len(looked_at), n_frames)
        looks = zip(drawn.images, _faces(video, drawn, settings, device), strict=True)
        found = dict(zip(drawn.indices, looks, strict=True))
        for frame in drawn.order:
            if faces < settings.frames:
                image, (face, why) = found[frame]
                looked_at.append(Look(frame, image if face else image[:1, :1], face, why))
                faces += face is not None
        n_frames = drawn.n_frames
        rest = min(n_frames, MOST_DRAWN) - len(looked_at)
        if faces == settings.frames or rest <= 0:
            return n_frames, sorted(looked_at, key=lambda look: look.frame)
        # More each time, since each time decoding starts at a key frame.
        count = min(len(looked_at), MOST_AT_ONCE, rest)


def manipulated_face(faces: Sequence[Detection], mask: NDArray[np.uint8]) -> tuple[Detection | None, str]:
    """The face whose box fits a mask best, by intersection over union."""
    white = mask.max(axis=2) >= WHITE
    whole = int(white.sum())
    if not whole:
        return None, "the mask is empty"
    fits = []
    for face in faces:
        left, top, right, bottom = (max(round(edge), 0) for edge in face.box)
        inside = int(white[top:bottom, left:right].sum())
        fits.append(inside / (face.area + whole - inside))
    if not any(fits):
        return None, "no face under the mask"
    return faces[int(np.argmax(fits))], ""


def _faces(
    video: Video, drawn: DrawnFrames, settings: ExtractionSettings, device: str
) -> list[tuple[Detection | None, str]]:
    """The face of each frame that is taken, or in words why there is none."""
    if not settings.crop:  # the whole frame stands for a face
        sizes = [image.shape[:2] for image in drawn.images]
        return [(Detection((0.0, 0.0, float(width), float(height)), float("nan")), "") for height, width in sizes]
    detector = _detector(settings.thresholds, settings.min_face, device)
    if video.mask is None:
        return [(face, "" if face else "no face") for face in detector.largest(drawn.images)]
    try:
        masks = frames_at(video.mask, drawn.indices)
    except SourceError as error:
        detail = f"{video.mask}: {error}; without this file the largest face is taken"
        raise SourceError("mask unreadable", detail) from error
    chosen: list[tuple[Detection | None, str]] = [(None, "no mask")] * len(drawn.images)
    for i, (image, mask) in enumerate(zip(drawn.images, masks, strict=False)):  # a mask may be the shorter one
        height, width = image.shape[:2]
        fitting = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        chosen[i] = manipulated_face(detector.all([image])[0], fitting)
    return chosen
