"""FaceSwap, a stand-in: the source's face as a textured mesh over the target's landmarks."""

import cv2
import numpy as np

from sr_deepfake.data.sample.blending import Mask, composite, core_mask, face_polygon, soft_mask, to_float
from sr_deepfake.data.sample.expression import transfer_expression
from sr_deepfake.data.sample.geometry import Image, Points, face_size, triangulate, warp_face, with_ring
from sr_deepfake.data.sample.people import Frames


def faceswap(
    target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Render the source's face on the target's, adjust its brightness, and blend along a narrow seam.

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
        laid_out = transfer_expression(points, source_points, brows=0.5)
        face = warp_face(
            to_float(source), with_ring(source_points), with_ring(laid_out), triangles, side, cv2.INTER_LINEAR
        )
        mask = soft_mask(face_polygon(laid_out, 0.9, top=0.25), side, feather=0.035 * face_size(points))
        made.append(composite(frame, _gain(face, to_float(frame), core_mask(points, side)), mask))
    return np.stack(made)


def _gain(face: Image, like: Image, mask: Mask) -> Image:
    """One factor a channel, so that the means agree."""
    inside = mask > 0.5
    factor = np.clip(like[inside].mean(axis=0) / np.maximum(face[inside].mean(axis=0), 1e-3), 0.5, 2.0)
    return np.asarray(np.clip(face * factor, 0, 1), dtype=np.float32)
