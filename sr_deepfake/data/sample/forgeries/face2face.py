"""Face2Face, a stand-in: the target's own face, re-rendered with the source's expression."""

import numpy as np

from sr_deepfake.data.sample.blending import composite, face_polygon, soft_mask, to_float
from sr_deepfake.data.sample.expression import fill_mouth, needs_teeth, transfer_expression
from sr_deepfake.data.sample.geometry import (
    Points,
    crop_matrix,
    face_size,
    out_of_crop,
    render_crop,
    transform,
    triangulate,
    with_ring,
)
from sr_deepfake.data.sample.people import Frames

TEXTURE = 128  # side of the crop in which the face is rendered


def face2face(
    target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Warp mouth, eyes and brows of the target to the source's expression.

    The face is rendered as a mesh in a texture of 128 × 128 pixels and laid over the frame. Where the source
    opens the mouth further, its inside comes from the source's frames.

    Args:
        target_frames: uint8 RGB `N×H×H×3`; whose video and whose face it is.
        target_landmarks: `N×P×2`, in pixels.
        source_frames: uint8 RGB `N×S×S×3`; whose expression it will show.
        source_landmarks: `N×P×2`, in pixels.

    Returns:
        uint8 RGB `N×H×H×3`, equal to the target's frames outside the face.
    """
    side = target_frames.shape[1]
    triangles = triangulate(with_ring(target_landmarks.mean(axis=0)))
    teeth = needs_teeth(target_landmarks, source_landmarks)
    made = []
    for frame, points, source, source_points in zip(
        target_frames, target_landmarks, source_frames, source_landmarks, strict=True
    ):
        moved = transfer_expression(points, source_points, mouth=0.9, eyes=0.8, brows=0.8)
        matrix = crop_matrix(points, TEXTURE)
        face = render_crop(to_float(frame), with_ring(points), with_ring(moved), triangles, matrix, TEXTURE)
        if teeth:
            face = fill_mouth(face, transform(moved, matrix), to_float(source), source_points)
        mask = soft_mask(face_polygon(points, 0.95, top=0.1), side, feather=0.05 * face_size(points))
        made.append(composite(frame, out_of_crop(face, matrix, side), mask))
    return np.stack(made)
