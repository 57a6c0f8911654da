"""FaceShifter, a stand-in: the source's face in detail, in the target's light."""

import cv2
import numpy as np

from sr_deepfake.data.sample.blending import (
    Mask,
    composite,
    core_mask,
    face_polygon,
    from_lab,
    match_colour,
    soft_mask,
    to_float,
    to_lab,
)
from sr_deepfake.data.sample.expression import transfer_expression
from sr_deepfake.data.sample.geometry import (
    Image,
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

GENERATOR = 128  # side of the crop; the original makes 256 px for faces twice as large
SHADING = 0.75  # how much of the target's shading the face takes over
LIMIT = 0.08  # how far the Poisson equation may change a colour, in [0, 1]


def faceshifter(
    target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Swap the identity with little loss of detail and blend in the gradient domain.

    The source's face is rendered in an aligned crop of 128 × 128 pixels. Its colours are matched, it takes over
    most of the target's shading (the low frequencies of lightness), and a Poisson equation makes the seam
    vanish (Pérez et al., 2003).

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
        matrix = crop_matrix(points, GENERATOR)
        laid_out = transfer_expression(points, source_points)
        face = render_crop(
            to_float(source), with_ring(source_points), with_ring(laid_out), triangles, matrix, GENERATOR
        )
        like = into_crop(to_float(frame), matrix, GENERATOR)
        core = core_mask(transform(points, matrix), GENERATOR)
        face = match_colour(face, like, core)
        face = _take_shading(face, like, core, blur=0.1 * GENERATOR)
        polygon = face_polygon(laid_out, 0.93, top=0.18)
        face = _poisson(face, like, soft_mask(transform(polygon, matrix), GENERATOR, feather=1))
        face = np.clip(out_of_crop(face, matrix, side, cv2.INTER_CUBIC), 0, 1)
        made.append(composite(frame, face, soft_mask(polygon, side, feather=0.08 * face_size(points))))
    return np.stack(made)


def _take_shading(face: Image, like: Image, mask: Mask, blur: float) -> Image:
    """Approach the lightness of `like` in frequencies below the blur's (in pixels)."""
    lab = to_lab(face)
    difference = to_lab(like)[..., 0] - lab[..., 0]
    # Weighted by the mask, so that hair and background do not shine in.
    weight = cv2.GaussianBlur(mask, (0, 0), blur)
    smooth = cv2.GaussianBlur(difference * mask, (0, 0), blur) / np.maximum(weight, 1e-3)
    lab[..., 0] = lab[..., 0] + SHADING * smooth
    return from_lab(lab)


def _poisson(face: Image, like: Image, mask: Mask) -> Image:
    """Approach the image with the face's gradients inside the mask and the colours of `like` around it."""
    inside = (mask > 0).astype(np.uint8) * 255
    left, top, width, height = cv2.boundingRect(inside)
    made, around = (np.round(image * 255).astype(np.uint8) for image in (face, like))
    centre = (left + width // 2, top + height // 2)
    solved = cv2.seamlessClone(made, around, inside, centre, cv2.NORMAL_CLONE).astype(np.float32) / 255
    # Where hair crosses the seam, its darkness would spread over the whole face.
    return np.asarray(face + LIMIT * np.tanh((solved - face) / LIMIT))
