"""Expressions: moved from one face to another, and the inside of a mouth, which a warp cannot invent."""

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from sr_deepfake.data.sample.geometry import (
    EYE_CORNERS,
    EYES,
    INNER_LIPS,
    JAW,
    LIPS,
    LOWER_LIP,
    MOUTH_CORNERS,
    NOSE,
    OVAL,
    UPPER_LIP,
    Image,
    Points,
    face_roll,
    face_size,
    soft_mask,
    triangulate,
    warp_face,
)

OPEN = 0.05  # mouth widths between the lips from which teeth show
BROW_LIMIT = 0.06  # of the face size


def mouth_opening(points: Points) -> float:
    """Distance between the lips' inner edges, in mouth widths (`P×2` landmarks)."""
    right, left = points[MOUTH_CORNERS]
    return float(np.linalg.norm(points[LOWER_LIP] - points[UPPER_LIP]) / np.linalg.norm(left - right))


def transfer_expression(
    target: Points, source: Points, mouth: float = 1.0, eyes: float = 1.0, brows: float = 1.0
) -> Points:
    """Give the target's face the source's expression."""
    ours, theirs = (np.asarray(face @ _turn(-face_roll(face))) / face_size(face) for face in (target, source))
    moved = ours.copy()
    # A turned head shows a narrower mouth; the distance of the eyes says how much.
    narrower = np.array([_eye_distance(ours) / _eye_distance(theirs), 1.0])
    middle_ours, middle_theirs = ours[MOUTH_CORNERS].mean(axis=0), theirs[MOUTH_CORNERS].mean(axis=0)
    wanted = middle_ours + (theirs[LIPS] - middle_theirs) * narrower
    moved[LIPS] += mouth * (wanted - ours[LIPS])
    for eye, corners, brow in EYES:
        moved[eye] += eyes * _eyelid_shift(ours, theirs, eye, corners)
        raised = _brow_height(theirs, corners, brow) - _brow_height(ours, corners, brow)
        moved[brow, 1] += brows * np.clip(raised, -BROW_LIMIT, BROW_LIMIT)

    lip_drop = moved[LOWER_LIP, 1] - ours[LOWER_LIP, 1]
    below = (ours[JAW, 1] - middle_ours[1]) / (ours[JAW, 1].max() - middle_ours[1])
    moved[JAW, 1] += 0.5 * lip_drop * np.clip(below, 0, 1) ** 2

    known = np.concatenate([LIPS, *(np.concatenate([eye, brow]) for eye, _, brow in EYES), NOSE, OVAL])
    unknown = np.setdiff1d(np.arange(len(ours)), known)
    spline = RBFInterpolator(ours[known], (moved - ours)[known], kernel="thin_plate_spline", smoothing=1e-4)
    moved[unknown] += spline(ours[unknown])
    return np.asarray(moved @ _turn(face_roll(target)) * face_size(target))


def _turn(angle: float) -> Points:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def _eye_distance(points: Points) -> float:
    return float(np.ptp(points[EYE_CORNERS, 0]))


def _eyelid_shift(ours: Points, theirs: Points, eye: np.ndarray, corners: np.ndarray) -> Points:
    """Move the lids so that an eye opens as far as the other's, relative to its width."""
    heights, directions = [], []
    for face in (ours, theirs):
        right, left = face[corners]
        along = (left - right) / np.linalg.norm(left - right)
        across = np.array([-along[1], along[0]])
        heights.append((face[eye] - right) @ across / np.linalg.norm(left - right))
        directions.append(across * np.linalg.norm(left - right))
    return np.asarray(np.outer(heights[1] - heights[0], directions[0]))


def _brow_height(points: Points, corners: np.ndarray, brow: np.ndarray) -> float:
    return float(points[brow, 1].mean() - points[corners, 1].mean())


def needs_teeth(target: Points, source: Points) -> bool:
    """Whether the source's mouth is so much wider open that its inside must be made (`N×P×2` clips)."""
    ours, theirs = (np.mean([mouth_opening(points) for points in clip]) for clip in (target, source))
    return bool(theirs > OPEN and theirs > 1.3 * ours)


def fill_mouth(face: Image, points: Points, source: Image, source_points: Points) -> Image:
    """Show the inside of the source's mouth between the lips of a face."""
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
