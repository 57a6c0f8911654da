"""Attacked faces put back into the planes of a frame as the decoder gives it: nothing but their squares is converted."""

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import orientation_of
from sr_deepfake.media.faces import Picture, feathered
from sr_deepfake.system.errors import UserError

Plane = NDArray[np.uint8] | NDArray[np.uint16]

MATRICES = (1, 2, 4, 5, 6, 7, 9, 10)  # of ITU-T H.273, that FFmpeg converts: BT.601, BT.709, BT.2020, FCC, SMPTE 240M
_UNSPECIFIED, _BT601, _BT2020 = 2, 5, 9
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
# What conversions between RGB and planes can be off by, in 8-bit levels. More is a colour that RGB does not have (a
# white above white): there the face takes the attack's colour itself.
_ROUNDING = 2.0
# Formats that hold the same samples in another order, and the order that is worked on.
_REORDERED = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "p010le": "yuv420p10le",
    "p210le": "yuv422p10le", "yuyv422": "yuv422p", "uyvy422": "yuv422p", "bgr24": "rgb24", "gbrp": "rgb24",
    "bgr0": "rgb24", "rgb0": "rgb24", "0rgb": "rgb24", "0bgr": "rgb24",
}  # fmt: skip


def working_format(name: str) -> str:
    """The pixel format in which frames of a format are worked on; it holds the same samples."""
    name = _REORDERED.get(name, name)
    planar = name.startswith(("yuv", "gray")) and name not in ("yuv410p", "yuv411p", "yuvj411p")
    if not (name == "rgb24" or (planar and not name.endswith(("be", "f32le", "f16le")))):
        raise UserError(
            f"its pixel format {name} is not one that faces can be put back into (planar YUV and grey of 8 to 16 bits, "
            "RGB of 8 bits); convert it first, as with `ffmpeg -i IN -pix_fmt yuv444p OUT`"
        )
    return name


def check_matrix(frame: "av.VideoFrame") -> None:
    """Refuse a frame whose matrix FFmpeg cannot convert."""
    if frame.format.name != "rgb24" and frame.colorspace not in MATRICES:
        raise UserError(
            f"its colours are written with matrix {frame.colorspace} of ITU-T H.273, and BT.601, BT.709, BT.2020, "
            "FCC and SMPTE 240M can be read; convert it first, as with "
            "`ffmpeg -i IN -vf scale=out_color_matrix=bt709 OUT`"
        )


def paste_faces(
    frame: "av.VideoFrame", crops: Sequence[Crop], before: Sequence[Picture], after: Sequence[Picture], feather: int = 0
) -> None:
    """Put attacked faces into a writable frame, in place, one after the other.

    A sample moves by as much as the attack moves it: a face that the attack leaves as it is stays as decoded to the last
    bit, in 10 bits too.
    """
    orientation, views = orientation_of(frame), plane_views(frame)
    steps = [(-(-frame.height // view.shape[0]), -(-frame.width // view.shape[1])) for view in views]
    down, across = max(steps)
    bits = frame.format.components[0].bits
    largest = _ROUNDING * 2 ** (bits - 8)
    decoded = [view.copy() for view in views]
    for crop, *faces in zip(crops, before, after, strict=True):
        square = orientation.stored_crop(crop, frame.height, frame.width)
        weight = feathered(square, frame.height, frame.width, feather)
        (top, bottom), (left, right) = _inside(square.top, square.side, down), _inside(square.left, square.side, across)
        inner = slice(top - square.top, bottom - square.top), slice(left - square.left, right - square.left)
        old, new = (_in_planes(orientation.stored(face)[inner], frame) for face in faces)
        for view, original, was, wanted, (rows, columns) in zip(views, decoded, old, new, steps, strict=True):
            area = slice(top // rows, bottom // rows), slice(left // columns, right // columns)
            there = original[area].astype(np.float32)
            rounding = (there - was).clip(-largest, largest)
            target = np.where(wanted == was, there, wanted + rounding)
            share = weight[inner][::rows, ::columns]
            view[area] = np.rint(share * target + (1 - share) * view[area]).clip(0, 2**bits - 1)


def plane_views(frame: "av.VideoFrame") -> list[Plane]:
    """The frame's samples as arrays on its own memory, without padding and alpha: a change of one changes the frame."""
    kind: type[np.uint8] | type[np.uint16] = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    views: list[Plane] = []
    for plane in frame.planes[:3]:
        memory = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size]
        rows: NDArray[Any] = memory.reshape(plane.height, plane.line_size).view(kind)
        views.append(rows)
    if frame.format.name == "rgb24":
        return [views[0][:, i : 3 * frame.width : 3] for i in range(3)]
    return [view[:, : plane.width] for view, plane in zip(views, frame.planes, strict=False)]


def _in_planes(face: Picture, frame: "av.VideoFrame") -> list[NDArray[np.float32]]:
    """A face in the numbers of a frame's planes."""
    # FFmpeg takes a matrix that is not stated for BT.601 when it makes RGB of it, and grey for full range.
    matrix = {_UNSPECIFIED: _BT601, 10: _BT2020}.get(frame.colorspace, frame.colorspace)
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith(("yuvj", "gray"))
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(face), format="rgb24")
    # On one thread: FFmpeg's slices of several threads differ from call to call in 10 bits (seen with PyAV 18.1).
    converted = picture.reformat(
        format=frame.format.name, dst_colorspace=matrix, src_color_range=2, dst_color_range=2 if full else 1, threads=1
    )
    return [view.astype(np.float32) for view in plane_views(converted)]


def _inside(start: int, side: int, step: int) -> tuple[int, int]:
    """First and last position (excluded) of whole samples of `step` px in a square."""
    return -(-start // step) * step, (start + side) // step * step
