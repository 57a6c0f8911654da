"""The five forgeries of the sample, one a family of FaceForensics++'s methods.

They are classical image processing, made to be plausible and to leave the kind of trace that their family leaves; they
are not the methods whose names they bear. Each changes one frame: it takes the frame (float32 RGB in [0, 1], `H×H×3`),
its landmarks (`P×2`, px), a frame of the other person and its landmarks, and what holds for the whole clip. It returns
the face in the frame's place, and the mask that says where it is laid over the frame.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.sample.expression import fill_mouth, needs_teeth, transfer_expression
from sr_deepfake.data.sample.geometry import (
    JAW,
    Image,
    Mask,
    Points,
    core_mask,
    crop_matrix,
    face_polygon,
    face_size,
    into_crop,
    out_of_crop,
    render_crop,
    rows,
    soft_mask,
    transform,
    triangulate,
    warp_face,
    with_ring,
)
from sr_deepfake.data.sample.people import Frames


@dataclass(frozen=True)
class _Clip:
    """Facts that hold for all frames of a clip: a frame's side, the face's mesh, whether the source opens the mouth more."""

    side: int
    triangles: NDArray[np.int32]
    needs_teeth: bool


def forge(
    method: str, target_frames: Frames, target_landmarks: Points, source_frames: Frames, source_landmarks: Points
) -> Frames:
    """Forge a clip."""
    clip = _Clip(
        side=target_frames.shape[1],
        triangles=triangulate(with_ring(target_landmarks.mean(axis=0))),
        needs_teeth=needs_teeth(target_landmarks, source_landmarks),
    )
    made = []
    for frame, points, source, source_points in zip(
        target_frames, target_landmarks, source_frames, source_landmarks, strict=True
    ):
        image, other = (np.asarray(each, dtype=np.float32) / np.float32(255) for each in (frame, source))
        made.append(composite(frame, *FORGERIES[method](image, points, other, source_points, clip)))
    return np.stack(made)


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


BOTTLENECK = 208  # side of the aligned crop
EXTENT = 1.35  # of the crop, in face sizes


def deepfakes(frame: Image, points: Points, source: Image, source_points: Points, clip: _Clip) -> tuple[Image, Mask]:
    """Swap the identity through an aligned crop of 208 × 208 pixels."""
    matrix = crop_matrix(points, BOTTLENECK, EXTENT)
    laid_out = transfer_expression(points, source_points, brows=0.5)
    face = render_crop(source, source_points, laid_out, clip.triangles, matrix, BOTTLENECK)
    face = np.asarray(cv2.GaussianBlur(face, (0, 0), 0.3), dtype=np.float32)
    like = into_crop(frame, matrix, BOTTLENECK)
    face = match_colour(face, like, core_mask(transform(points, matrix), BOTTLENECK))
    mask = soft_mask(face_polygon(points, 0.94, top=0.16), clip.side, feather=0.14 * face_size(points))
    return np.clip(out_of_crop(face, matrix, clip.side, cv2.INTER_CUBIC), 0, 1), mask


TEXTURE = 128  # side of the crop in which the face is rendered


def face2face(frame: Image, points: Points, source: Image, source_points: Points, clip: _Clip) -> tuple[Image, Mask]:
    """Warp mouth, eyes and brows of the target to the source's expression."""
    moved = transfer_expression(points, source_points, mouth=0.9, eyes=0.8, brows=0.8)
    matrix = crop_matrix(points, TEXTURE)
    face = render_crop(frame, points, moved, clip.triangles, matrix, TEXTURE)
    if clip.needs_teeth:
        face = fill_mouth(face, transform(moved, matrix), source, source_points)
    mask = soft_mask(face_polygon(points, 0.95, top=0.1), clip.side, feather=0.05 * face_size(points))
    return out_of_crop(face, matrix, clip.side), mask


def faceswap(frame: Image, points: Points, source: Image, source_points: Points, clip: _Clip) -> tuple[Image, Mask]:
    """Render the source's face as a mesh on the target's, adjust its brightness, and blend along a narrow seam."""
    laid_out = transfer_expression(points, source_points, brows=0.5)
    face = warp_face(source, with_ring(source_points), with_ring(laid_out), clip.triangles, clip.side)
    mask = soft_mask(face_polygon(laid_out, 0.9, top=0.25), clip.side, feather=0.035 * face_size(points))
    return _gain(face, frame, core_mask(points, clip.side)), mask


def _gain(face: Image, like: Image, mask: Mask) -> Image:
    """One factor a channel, so that the means agree."""
    inside = mask > 0.5
    factor = np.clip(like[inside].mean(axis=0) / np.maximum(face[inside].mean(axis=0), 1e-3), 0.5, 2.0)
    return np.asarray(np.clip(face * factor, 0, 1), dtype=np.float32)


GENERATOR = 128  # side of the crop; the original makes 256 px for faces twice as large
SHADING = 0.75  # how much of the target's shading the face takes over
LIMIT = 0.08  # how far the Poisson equation may change a colour, in [0, 1]


def faceshifter(frame: Image, points: Points, source: Image, source_points: Points, clip: _Clip) -> tuple[Image, Mask]:
    """Swap the identity with little loss of detail and blend in the gradient domain."""
    matrix = crop_matrix(points, GENERATOR)
    laid_out = transfer_expression(points, source_points)
    face = render_crop(source, source_points, laid_out, clip.triangles, matrix, GENERATOR)
    like = into_crop(frame, matrix, GENERATOR)
    core = core_mask(transform(points, matrix), GENERATOR)
    face = match_colour(face, like, core)
    face = _take_shading(face, like, core, blur=0.1 * GENERATOR)
    polygon = face_polygon(laid_out, 0.93, top=0.18)
    face = _poisson(face, like, soft_mask(transform(polygon, matrix), GENERATOR, feather=1))
    mask = soft_mask(polygon, clip.side, feather=0.08 * face_size(points))
    return np.clip(out_of_crop(face, matrix, clip.side, cv2.INTER_CUBIC), 0, 1), mask


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


DECODER = 400  # side of the crop that the decoder puts out; its last layer doubles the resolution
SMOOTH = 0.02  # of colours, in [0, 1], that the texture's smoothing takes for equal
RESIDUE = 0.008  # amplitude of the last layer's uneven overlap, as a share of brightness
# From ear to ear below the eyes, over the nose's tip.
_UPPER_EDGE = rows(234, 117, 101, 36, 4, 266, 330, 346, 454)


def neural_textures(
    frame: Image, points: Points, source: Image, source_points: Points, clip: _Clip
) -> tuple[Image, Mask]:
    """Re-render the lower face with the source's mouth."""
    moved = transfer_expression(points, source_points, mouth=0.9, eyes=0.0, brows=0.0)
    matrix = crop_matrix(points, DECODER)
    face = render_crop(frame, points, moved, clip.triangles, matrix, DECODER)
    if clip.needs_teeth:
        face = fill_mouth(face, transform(moved, matrix), source, source_points)
    region = np.concatenate([moved[_UPPER_EDGE], moved[JAW]])
    centre = region.mean(axis=0)
    mask = soft_mask(centre + 0.92 * (region - centre), clip.side, feather=0.10 * face_size(points))
    return np.clip(out_of_crop(_decode(face), matrix, clip.side), 0, 1), mask


def _decode(face: Image) -> Image:
    """Halve the resolution, smooth the texture, and double it as a 3×3 transposed convolution of stride 2."""
    half = cv2.resize(face, (DECODER // 2, DECODER // 2), interpolation=cv2.INTER_AREA)
    half = cv2.bilateralFilter(half, d=5, sigmaColor=SMOOTH, sigmaSpace=2)
    doubled = np.asarray(cv2.resize(half, (DECODER, DECODER), interpolation=cv2.INTER_LINEAR))
    # Where the kernel's copies overlap, the sum is larger: every second row and every second column.
    overlap = np.ones((DECODER, DECODER), dtype=np.float32)
    overlap[::2] += RESIDUE / 2
    overlap[:, ::2] += RESIDUE / 2
    return np.asarray(doubled * (overlap / overlap.mean())[..., None])


FORGERIES: dict[str, Callable[[Image, Points, Image, Points, _Clip], tuple[Image, Mask]]] = {
    "Deepfakes": deepfakes,
    "Face2Face": face2face,
    "FaceSwap": faceswap,
    "FaceShifter": faceshifter,
    "NeuralTextures": neural_textures,
}
