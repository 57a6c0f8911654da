"""The eight ways in which stored pixels are turned to be looked at: four quarter turns, each mirrored or not."""

from dataclasses import dataclass
from typing import Any, TypeVar

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from numpy.typing import NDArray

from sr_deepfake.data.extraction.cropping import Crop

Pixels = TypeVar("Pixels", bound=NDArray[Any])


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become upright: rows become columns if `transposed`; then `rows` or `columns` are reversed."""

    transposed: bool = False
    rows: bool = False
    columns: bool = False

    def __str__(self) -> str:
        mirrored = self.transposed ^ self.rows ^ self.columns
        marked = np.array([[0, 1], [2, 3]])
        start = marked[:, ::-1] if mirrored else marked
        turns = next(turns for turns in range(4) if np.array_equal(np.rot90(start, turns), self.upright(marked)))
        return f"turned by {90 * turns}°{' and mirrored' if mirrored else ''}"

    def upright(self, stored: Pixels) -> Pixels:
        """Stored pixels `H×W…` as they are to be looked at: a view, through which the stored ones change."""
        view: Any = stored.swapaxes(0, 1) if self.transposed else stored
        return view[:: -1 if self.rows else 1, :: -1 if self.columns else 1]  # type: ignore[no-any-return]

    def stored(self, upright: Pixels) -> Pixels:
        """The reverse: upright pixels as they are stored, a view."""
        view: Any = upright[:: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return view.swapaxes(0, 1) if self.transposed else view  # type: ignore[no-any-return]

    def stored_crop(self, crop: Crop, height: int, width: int) -> Crop:
        """Map a square of the upright picture to the stored pixels."""
        down, across = (width, height) if self.transposed else (height, width)
        left = across - crop.left - crop.side if self.columns else crop.left
        top = down - crop.top - crop.side if self.rows else crop.top
        return Crop(top, left, crop.side) if self.transposed else Crop(left, top, crop.side)


def orientation_of(frame: "av.VideoFrame") -> Orientation:
    """The orientation that a video's display matrix asks for; that of the nearest quarter turn."""
    # Not `frame.side_data`: the frame keeps that, it refers to the frame, and Python frees such a circle late.
    side_data: Any = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if side_data is None:
        return Orientation()
    # A stored pixel (x, y) is shown at (a·x + c·y, b·x + d·y): FFmpeg's libavutil/display.h.
    a, b, _, c, d = np.frombuffer(side_data, np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(rows=d < 0, columns=a < 0)
    return Orientation(transposed=True, rows=b < 0, columns=c < 0)


def upright(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    """A frame as it is shown: uint8 RGB `H×W×3`, a copy, turned as the file's display matrix asks for."""
    image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.array(orientation_of(frame).upright(image), order="C")
