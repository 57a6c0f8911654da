"""NeuralTextures, a stand-in: the lower face, re-rendered by something like a convolutional decoder."""

import cv2
import numpy as np

from sr_deepfake.data.sample.blending import composite, soft_mask, to_float
from sr_deepfake.data.sample.expression import fill_mouth, needs_teeth, transfer_expression
from sr_deepfake.data.sample.geometry import (
    JAW,
    Image,
    Points,
    crop_matrix,
    face_size,
    out_of_crop,
    render_crop,
    rows,
    transform,
    triangulate,
    with_ring,
)
from sr_deepfake.data.sample.people import Frames

DECODER = 160  # side of the crop that the decoder puts out; its last layer doubles the resolution
RESIDUE = 0.035  # amplitude of the last layer's uneven overlap, as a share of brightness
_UPPER_EDGE = rows(
    234, 117, 101, 36, 4, 266, 330, 346, 454
)  # from ear to ear below the eyes, over the nose's tip


def neural_textures(
    target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Re-render the lower face with the source's mouth.

    The warped lower face loses its fine texture and is enlarged twofold by a transposed convolution whose
    kernel overlaps unevenly: a faint periodic residue (Odena et al., 2016).

    Args:
        target_frames: uint8 RGB `N×H×H×3`; whose video and whose face it is.
        target_landmarks: `N×P×2`, in pixels.
        source_frames: uint8 RGB `N×S×S×3`; whose mouth it will show.
        source_landmarks: `N×P×2`, in pixels.

    Returns:
        uint8 RGB `N×H×H×3`, equal to the target's frames outside the lower face.
    """
    side = target_frames.shape[1]
    triangles = triangulate(with_ring(target_landmarks.mean(axis=0)))
    teeth = needs_teeth(target_landmarks, source_landmarks)
    made = []
    for frame, points, source, source_points in zip(
        target_frames, target_landmarks, source_frames, source_landmarks, strict=True
    ):
        moved = transfer_expression(points, source_points, mouth=0.9, eyes=0.0, brows=0.0)
        matrix = crop_matrix(points, DECODER)
        face = render_crop(to_float(frame), with_ring(points), with_ring(moved), triangles, matrix, DECODER)
        if teeth:
            face = fill_mouth(face, transform(moved, matrix), to_float(source), source_points)
        region = np.concatenate([moved[_UPPER_EDGE], moved[JAW]])
        centre = region.mean(axis=0)
        mask = soft_mask(centre + 0.92 * (region - centre), side, feather=0.10 * face_size(points))
        rendered = out_of_crop(_decode(face), matrix, side)
        made.append(composite(frame, np.clip(rendered, 0, 1), mask))
    return np.stack(made)


def _decode(face: Image) -> Image:
    """Halve the resolution, smooth the texture, and double it as a 3×3 transposed convolution of stride 2."""
    half = cv2.resize(face, (DECODER // 2, DECODER // 2), interpolation=cv2.INTER_AREA)
    half = cv2.bilateralFilter(half, d=5, sigmaColor=0.06, sigmaSpace=2)
    doubled = np.asarray(cv2.resize(half, (DECODER, DECODER), interpolation=cv2.INTER_LINEAR))
    # Where the kernel's copies overlap, the sum is larger: every second row and every second column.
    overlap = np.ones((DECODER, DECODER), dtype=np.float32)
    overlap[::2] += RESIDUE / 2
    overlap[:, ::2] += RESIDUE / 2
    return np.asarray(doubled * (overlap / overlap.mean())[..., None])
