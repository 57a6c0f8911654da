"""Deepfakes, a stand-in: the source's face through a low-resolution bottleneck."""

import cv2
import numpy as np

from sr_deepfake.data.sample.blending import (
    composite,
    core_mask,
    face_polygon,
    match_colour,
    soft_mask,
    to_float,
)
from sr_deepfake.data.sample.expression import transfer_expression
from sr_deepfake.data.sample.geometry import (
    Points,
    crop_matrix,
    face_size,
    into_crop,
    out_of_crop,
    render_crop,
    transform,
    triangulate,
    with_ring,
)
from sr_deepfake.data.sample.people import Frames

BOTTLENECK = 72  # side of the aligned crop, as in the autoencoders of 2018
EXTENT = 1.35  # of the crop, in face sizes


def deepfakes(
    target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Swap the identity through an aligned crop of 72 × 72 pixels.

    The source's face is laid out like the target's, reduced to the bottleneck and smoothed a little, as an
    autoencoder's output is; then its colours are matched and it is pasted with a wide, feathered mask.

    Args:
        target_frames: uint8 RGB `N×H×H×3`; whose video it is.
        target_landmarks: `N×P×2`, in pixels.
        source_frames: uint8 RGB `N×S×S×3`; whose face it will show.
        source_landmarks: `N×P×2`, in pixels.

    Returns:
        uint8 RGB `N×H×H×3`, equal to the target's frames outside the face.
    """
    side = target_frames.shape[1]
    triangles = triangulate(with_ring(target_landmarks.mean(axis=0)))
    made = []
    for frame, points, source, source_points in zip(
        target_frames, target_landmarks, source_frames, source_landmarks, strict=True
    ):
        matrix = crop_matrix(points, BOTTLENECK, EXTENT)
        laid_out = transfer_expression(points, source_points, brows=0.5)
        face = render_crop(
            to_float(source), with_ring(source_points), with_ring(laid_out), triangles, matrix, BOTTLENECK
        )
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.5), dtype=np.float32)
        like = into_crop(to_float(frame), matrix, BOTTLENECK)
        face = match_colour(face, like, core_mask(transform(points, matrix), BOTTLENECK))
        mask = soft_mask(face_polygon(points, 0.94, top=0.16), side, feather=0.14 * face_size(points))
        pasted = out_of_crop(face, matrix, side, cv2.INTER_CUBIC)
        made.append(composite(frame, np.clip(pasted, 0, 1), mask))
    return np.stack(made)
