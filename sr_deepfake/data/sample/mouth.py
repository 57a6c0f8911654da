"""The inside of a mouth: what a warp cannot invent when closed lips are opened."""

import cv2
import numpy as np

from sr_deepfake.data.sample.blending import soft_mask
from sr_deepfake.data.sample.expression import mouth_opening
from sr_deepfake.data.sample.landmarks import INNER_LIPS, LIPS, Points
from sr_deepfake.data.sample.warping import Image, face_size, triangulate, warp_face

OPEN = 0.05  # mouth widths between the lips from which teeth show


def needs_teeth(target: Points, source: Points) -> bool:
    """Whether the source's mouth is so much wider open that its inside must be made (`N×P×2` clips)."""
    ours, theirs = (np.mean([mouth_opening(points) for points in clip]) for clip in (target, source))
    return bool(theirs > OPEN and theirs > 1.3 * ours)


def fill_mouth(face: Image, points: Points, source: Image, source_points: Points) -> Image:
    """Show the inside of the source's mouth between the lips of a face.

    Its brightness is adjusted by the ratio of the faces' mean brightness.

    Args:
        face: float32 RGB in [0, 1], `S×S×3`.
        points: landmarks in it, `P×2`.
        source: float32 RGB in [0, 1], `H×W×3`.
        source_points: landmarks in it, `P×2`.

    Returns:
        float32 RGB in [0, 1], `S×S×3`.
    """
    side = len(face)
    lips = warp_face(source, source_points[LIPS], points[LIPS], triangulate(points[LIPS]), side)
    # A little beyond the lips' inner edge: the landmarks run inside it.
    middle = points[INNER_LIPS].mean(axis=0)
    edge = middle + 1.1 * (points[INNER_LIPS] - middle)
    mask = soft_mask(edge, side, feather=0.02 * face_size(points))[..., None]
    gain = np.clip(_brightness(face, points) / max(_brightness(source, source_points), 1e-3), 0.6, 1.4)
    return np.asarray(face * (1 - mask) + np.clip(lips * gain, 0, 1) * mask, dtype=np.float32)


def _brightness(image: Image, points: Points) -> float:
    """Mean luma of the face around the mouth."""
    left, top, width, height = cv2.boundingRect(points[LIPS].astype(np.float32))
    patch = image[max(top - height, 0) : top + 2 * height, max(left, 0) : left + width]
    return float(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).mean())
