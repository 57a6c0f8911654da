"""From RGB to the numbers in a video's planes: the stream's own matrix, range and depth."""

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from sr_deepfake.system.errors import UserError

Levels = NDArray[np.float32]

# Weights of red and blue in luma, by the number that ITU-T H.273 gives a matrix (its table 4). 2 is "not said": when
# FFmpeg makes RGB, it takes that for BT.601 whatever the size, and so does this.
_RED_AND_BLUE = {
    1: (0.2126, 0.0722),  # BT.709
    2: (0.299, 0.114),
    4: (0.30, 0.11),  # FCC
    5: (0.299, 0.114),  # BT.601
    6: (0.299, 0.114),
    7: (0.212, 0.087),  # SMPTE 240M
    9: (0.2627, 0.0593),  # BT.2020
    10: (0.2627, 0.0593),
}
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


@dataclass(frozen=True)
class Colour:
    """Coding of colours as luma and chroma.

    Attributes:
        matrix: number of its matrix in ITU-T H.273.
        full: whether black and white are the smallest and the largest number (else, in 8 bits, 16 and 235).
        bits: of a sample.

    Example:
        >>> white = np.full((1, 1, 3), 255, np.float32)
        >>> [float(plane[0, 0]) for plane in Colour(matrix=1, full=False, bits=10).planes(white)]
        [940.0, 512.0, 512.0]
    """

    matrix: int
    full: bool
    bits: int

    def planes(self, levels: Levels) -> list[Levels]:
        """Luma and chroma of a picture at its full size, not rounded.

        Args:
            levels: float32 RGB in grey levels [0, 255], H×W×3.

        Returns:
            Y, Cb and Cr, float32 H×W each, in the numbers that the frame's planes hold.
        """
        red, blue = _RED_AND_BLUE[self.matrix]
        largest = 2**self.bits - 1
        step = 2 ** (self.bits - 8)
        black, luma_span, chroma_span = (0, largest, largest) if self.full else (16 * step, 219 * step, 224 * step)
        unit = levels / np.float32(255)
        luma = unit @ np.array([red, 1 - red - blue, blue], np.float32)
        cb = (unit[..., 2] - luma) * np.float32(chroma_span / (2 * (1 - blue))) + 128 * step
        cr = (unit[..., 0] - luma) * np.float32(chroma_span / (2 * (1 - red))) + 128 * step
        return [luma * np.float32(luma_span) + black, cb, cr]


def colour_of(frame: "av.VideoFrame") -> Colour:
    """Return a frame's colour coding.

    A grey picture is full range whatever it states, as FFmpeg takes it when it makes RGB of it.

    Raises:
        UserError: its matrix is one that RGB cannot be made with here.

    Example:
        >>> colour_of(av.VideoFrame(16, 16, "yuv420p"))
        Colour(matrix=2, full=False, bits=8)
    """
    if frame.colorspace not in _RED_AND_BLUE:
        raise UserError(
            f"its colours are written with matrix {frame.colorspace} of ITU-T H.273, and BT.601, BT.709, BT.2020, "
            "FCC and SMPTE 240M can be read; convert it first, as with "
            "`ffmpeg -i IN -vf scale=out_color_matrix=bt709 OUT`"
        )
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith(("yuvj", "gray"))
    return Colour(frame.colorspace, full, frame.format.components[0].bits)
