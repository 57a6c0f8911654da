"""Blending of a synthetic face into a frame: masks, colour matching, compositing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.sample.geometry import OVAL, Image, Points

BORDER = 4  # pixels along the frame's edge that no forgery touches
Mask = NDArray[np.float32]


def soft_mask(polygon: Points, side: int, feather: float) -> Mask:
    """Fill a polygon and let it fade inwards."""
    filled = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(filled, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    filled[:BORDER] = filled[-BORDER:] = filled[:, :BORDER] = filled[:, -BORDER:] = 0
    depth = cv2.distanceTransform(filled, cv2.DIST_L2, 5)
    ramp = np.clip((depth - 0.5) / feather, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)


def face_polygon(points: Points, scale: float, top: float = 0.0) -> Points:
    """The face's oval, scaled around its centre, `36×2`."""
    oval = points[OVAL]
    centre = oval.mean(axis=0)
    offset = oval - centre
    down = points[OVAL[18]] - points[OVAL[0]]
    height = (offset @ down) / (down @ down)  # -0.5 at the forehead, 0.5 at the chin
    return np.asarray(centre + offset * (scale - top * np.clip(-2 * height, 0, 1))[:, None])


def core_mask(points: Points, side: int) -> Mask:
    """The middle of a face, `side×side`: where it is skin, and no hair or background, that is compared."""
    return soft_mask(face_polygon(points, 0.75, top=0.15), side, feather=1)


def match_colour(face: Image, like: Image, mask: Mask) -> Image:
    """Give a face the colours of another: mean and deviation of each Lab channel (Reinhard et al., 2001)."""
    lab, goal = to_lab(face), to_lab(like)
    inside = mask > 0.5
    mean, deviation = lab[inside].mean(axis=0), lab[inside].std(axis=0)
    wanted_mean, wanted_deviation = goal[inside].mean(axis=0), goal[inside].std(axis=0)
    # A strong side light makes deviations differ tenfold; stretching noise that far would show.
    ratio = np.clip(wanted_deviation / np.maximum(deviation, 1e-3), 0.7, 1.4)
    return from_lab((lab - mean) * ratio + wanted_mean)


def composite(frame: NDArray[np.uint8], face: Image, mask: Mask) -> NDArray[np.uint8]:
    """Lay a face over a frame."""
    alpha = mask[..., None]
    mixed = frame * (1 - alpha) + 255 * face * alpha
    return np.asarray(np.clip(np.round(mixed), 0, 255), dtype=np.uint8)


def to_lab(image: Image) -> Image:
    """Turn RGB in [0, 1] into CIE Lab: L in [0, 100], a and b about [-127, 127]."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2Lab), dtype=np.float32)


def from_lab(lab: NDArray[np.floating]) -> Image:
    """Turn CIE Lab into float32 RGB, clipped to [0, 1]."""
    rgb = cv2.cvtColor(np.asarray(lab, dtype=np.float32), cv2.COLOR_Lab2RGB)
    return np.asarray(np.clip(rgb, 0, 1), dtype=np.float32)
