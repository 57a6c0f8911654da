"""Faces in a frame as the decoder gives it: RGB squares are cut from it, and put back into its own planes.

Nothing but the squares is converted, so that every other sample goes to the encoder exactly as it was decoded. Inside
a square a sample is moved by as much as the attack moves it: a face that the attack leaves as it is stays as decoded to
the last bit, in 10 bits too, and the rounding of a conversion to RGB and back cancels out.
"""

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import orientation_of
from sr_deepfake.media.faces import Picture, cut, paste
from sr_deepfake.media.video.colour import colour_of
from sr_deepfake.system.errors import UserError

Plane = NDArray[np.uint8] | NDArray[np.uint16]
Slices = tuple[slice, slice]

# What conversions between RGB and planes can be off by, in 8-bit levels. More is a colour that RGB does not have (a
# white above white): there the face takes the attack's colour itself.
_ROUNDING = 2.0
_WHITE = 65535

# Formats that hold the same samples in another order, and the order that is worked on.
_REORDERED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "p010le": "yuv420p10le",
    "p210le": "yuv422p10le", "yuyv422": "yuv422p", "uyvy422": "yuv422p", "bgr24": "rgb24", "gbrp": "rgb24",
    "bgr0": "rgb24", "rgb0": "rgb24", "0rgb": "rgb24", "0bgr": "rgb24",
}  # fmt: skip


def working_format(name: str) -> str:
    """The pixel format in which frames of a format are worked on; it holds the same samples.

    Raises:
        UserError: the format is none of whole bytes, or of RGB in more than 8 bits.

    Example:
        >>> working_format("yuv420p10le"), working_format("nv12")
        ('yuv420p10le', 'yuv420p')
    """
    name = _REORDERED.get(name, name)
    planar = name.startswith(("yuv", "gray")) and name not in ("yuv410p", "yuv411p", "yuvj411p")
    if not (name == "rgb24" or (planar and not name.endswith(("be", "f32le", "f16le")))):
        raise UserError(
            f"its pixel format {name} is not one that faces can be put back into (planar YUV and grey of 8 to 16 bits, "
            "RGB of 8 bits); convert it first, as with `ffmpeg -i IN -pix_fmt yuv444p OUT`"
        )
    return name


def paste_faces(
    frame: "av.VideoFrame", crops: Sequence[Crop], before: Sequence[Picture], after: Sequence[Picture], feather: int = 0
) -> None:
    """Put attacked faces into a frame, in place, one after the other; the frame must be writable.

    Of subsampled chroma only the samples that lie wholly inside a square change.

    Args:
        frame: in a `working_format`.
        crops: squares of the upright picture.
        before: the faces as cut from `upright(frame)`, uint8 RGB `S×S×3`.
        after: the faces attacked.
        feather: px of border that blend, as in `sr_deepfake.media.faces.paste`.

    Raises:
        UserError: the frame's matrix is not known.
    """
    if not crops:
        return
    orientation = orientation_of(frame)
    views = plane_views(frame)
    bits = frame.format.components[0].bits
    decoded = [view.copy() for view in views]
    for crop, old, new in zip(crops, before, after, strict=True):
        square = orientation.stored_crop(crop, frame.height, frame.width)
        share = _share(square, frame.height, frame.width, feather)
        old_planes, new_planes = (_planes(frame, orientation.stored(face)) for face in (old, new))
        for view, original, old_plane, new_plane in zip(views, decoded, old_planes, new_planes, strict=False):
            steps = -(-frame.height // view.shape[0]), -(-frame.width // view.shape[1])
            samples, pixels = _whole_samples(square, steps)
            there = original[samples].astype(np.float32)
            was, wanted = (_means(plane[pixels], steps) for plane in (old_plane, new_plane))
            rounding = (there - was).clip(-_ROUNDING * 2 ** (bits - 8), _ROUNDING * 2 ** (bits - 8))
            wanted = np.where(wanted == was, there, wanted + rounding)
            weight = _means(share[pixels], steps)
            blended = weight * wanted + (1 - weight) * view[samples]
            view[samples] = np.rint(blended).clip(0, 2**bits - 1)


def plane_views(frame: "av.VideoFrame") -> list[Plane]:
    """The frame's samples as arrays on its own memory, without padding and alpha: a change of one changes the frame.

    Returns:
        Luma, Cb and Cr, or luma alone, or red, green and blue.

    Example:
        >>> [view.shape for view in plane_views(av.VideoFrame(6, 4, "yuv420p10le"))]
        [(4, 6), (2, 3), (2, 3)]
        >>> [view.shape for view in plane_views(av.VideoFrame(6, 4, "rgb24"))]
        [(4, 6), (4, 6), (4, 6)]
    """
    kind: type[np.uint8] | type[np.uint16] = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    views: list[Plane] = []
    for plane in frame.planes[:3]:
        memory = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size]
        rows: NDArray[Any] = memory.reshape(plane.height, plane.line_size).view(kind)
        views.append(rows)
    if frame.format.name == "rgb24":
        return [views[0][:, i : 3 * frame.width : 3] for i in range(3)]
    return [view[:, : plane.width] for view, plane in zip(views, frame.planes, strict=False)]


def _planes(frame: "av.VideoFrame", face: Picture) -> Sequence[NDArray[np.float32]]:
    """A face in the numbers of the frame's planes, each at the face's full size."""
    levels = face.astype(np.float32)
    return [*np.moveaxis(levels, 2, 0)] if frame.format.name == "rgb24" else colour_of(frame).planes(levels)


def _whole_samples(square: Crop, steps: tuple[int, int]) -> tuple[Slices, Slices]:
    """The samples of a plane that lie wholly inside a square, and the square's pixels that they stand for."""
    samples, pixels = [], []
    for start, step in zip((square.top, square.left), steps, strict=True):
        first, end = -(-start // step), (start + square.side) // step
        samples.append(slice(first, end))
        pixels.append(slice(first * step - start, end * step - start))
    return (samples[0], samples[1]), (pixels[0], pixels[1])


def _means(plane: NDArray[np.float32], steps: tuple[int, int]) -> NDArray[np.float32]:
    """The mean over the pixels that each sample stands for."""
    if steps == (1, 1):
        return plane
    down, across = steps
    height, width = plane.shape
    means: NDArray[np.float32] = plane.reshape(height // down, down, width // across, across).mean((1, 3))
    return means


def _share(square: Crop, height: int, width: int, feather: int) -> NDArray[np.float32]:
    """The attacked face's share of every pixel of its square, in [0, 1]: what `paste` gives a white face on black."""
    if feather == 0:
        return np.ones((square.side, square.side), np.float32)
    black = np.zeros((height, width, 1), np.uint16)
    paste(black, square, np.full((square.side, square.side, 1), _WHITE, np.uint16), feather)
    return (cut(black, square)[:, :, 0] / np.float32(_WHITE)).astype(np.float32)
