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
    """How stored pixels become upright: rows and columns change places first, then either is reversed.

    Attributes:
        transposed: rows become columns.
        rows: the upright picture's rows are in the reverse order.
        columns: its columns are.
    """

    transposed: bool = False
    rows: bool = False
    columns: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether no turn alone does it."""
        return self.transposed ^ self.rows ^ self.columns

    @property
    def turns(self) -> int:
        """Quarter turns counter-clockwise that make it upright, after mirroring left and right where it is mirrored."""
        marked = np.array([[0, 1], [2, 3]])
        wanted = self.upright(marked).tolist()
        start = marked[:, ::-1] if self.mirrored else marked
        return next(turns for turns in range(4) if np.rot90(start, turns).tolist() == wanted)

    def __str__(self) -> str:
        return f"turned by {90 * self.turns}°{' and mirrored' if self.mirrored else ''}"

    def upright(self, stored: Pixels) -> Pixels:
        """Stored pixels `H×W…` as they are to be looked at: a view, through which the stored ones change.

        >>> Orientation(transposed=True, rows=True).upright(np.array([[1, 2], [3, 4]])).tolist()
        [[2, 4], [1, 3]]
        """
        view: Any = stored.swapaxes(0, 1) if self.transposed else stored
        return view[:: -1 if self.rows else 1, :: -1 if self.columns else 1]  # type: ignore[no-any-return]

    def stored(self, upright: Pixels) -> Pixels:
        """The other way round: upright pixels as they are stored, a view."""
        view: Any = upright[:: -1 if self.rows else 1, :: -1 if self.columns else 1]
        return view.swapaxes(0, 1) if self.transposed else view  # type: ignore[no-any-return]

    def stored_crop(self, crop: Crop, height: int, width: int) -> Crop:
        """Map a square of the upright picture to the stored pixels.

        >>> quarter_turn = Orientation(transposed=True, rows=True)
        >>> quarter_turn.stored_crop(Crop(left=0, top=10, side=24), height=48, width=64)
        Crop(left=30, top=0, side=24)
        """
        down, across = (width, height) if self.transposed else (height, width)
        left = across - crop.left - crop.side if self.columns else crop.left
        top = down - crop.top - crop.side if self.rows else crop.top
        return Crop(top, left, crop.side) if self.transposed else Crop(left, top, crop.side)


# Of EXIF, by its number.
OF_EXIF = {
    1: Orientation(), 2: Orientation(columns=True), 3: Orientation(rows=True, columns=True), 4: Orientation(rows=True),
    5: Orientation(transposed=True), 6: Orientation(transposed=True, columns=True),
    7: Orientation(transposed=True, rows=True, columns=True), 8: Orientation(transposed=True, rows=True),
}  # fmt: skip


def orientation_of(frame: "av.VideoFrame") -> Orientation:
    """The orientation that a video's display matrix asks for; that of the nearest quarter turn.

    >>> orientation_of(av.VideoFrame(64, 48, "yuv420p"))
    Orientation(transposed=False, rows=False, columns=False)
    """
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
    """A frame as it is shown: uint8 RGB `H×W×3`, a copy, turned as the file's display matrix asks for.

    >>> upright(av.VideoFrame(64, 48, "yuv420p")).shape
    (48, 64, 3)
    """
    image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    return np.array(orientation_of(frame).upright(image), order="C")
