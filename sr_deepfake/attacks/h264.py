"""H.264: the face as a frame of a video that is encoded once more."""

from fractions import Fraction

import av
import cv2
import numpy as np

from sr_deepfake.attacks.base import Picture, PictureAttack, whole_number
from sr_deepfake.system.errors import UserError

# ITU-R BT.601, 8 bits, video range: luma in [16, 235], chroma in [16, 240] around 128.
_LUMA = np.array([65.481, 128.553, 24.966], np.float32) / 255
_CHROMA = np.array([[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]], np.float32) / 255
_TO_RGB = np.linalg.inv(np.vstack([_LUMA, _CHROMA]).astype(np.float64)).astype(np.float32)


class H264Attack(PictureAttack):
    """Encodes each face with x264 and decodes it, on the CPU.

    A face is a stream of its own with one frame, an intra-coded one. A still clip of several would be no more
    like a video: x264 sees that nothing moves and gives its first frame more bits, while what truly comes before
    and after a face is unknown here. So the result shows what H.264 does inside a frame (transform, quantisation,
    prediction, deblocking), and depends on nothing but the face.

    Colours go to 4:2:0 and back as in a video (ITU-R BT.601, video range, each chroma sample the mean of 2×2
    pixels, enlarged bilinearly), rounded once each way: FFmpeg's own conversion cuts fractions off, which
    darkens a face by a level. At `crf=0` x264 loses nothing, and only this conversion remains. An odd side is
    made even by repeating the last row or column, which is cut off again.

    Args:
        crf: x264's constant rate factor, 0 (lossless) to 51 (worst). FaceForensics++ uses 23 and 40.
        severity: of which the configuration made it; not used.

    Raises:
        UserError: the factor is out of range, or PyAV was built without x264.

    Example:
        >>> import torch
        >>> face = torch.full((1, 3, 24, 24), 0.2)
        >>> torch.equal(H264Attack(crf=23)(face), face)  # a plain picture loses nothing
        True
    """

    kind = "h264"

    def __init__(self, crf: int, severity: object = None) -> None:
        super().__init__()
        self.crf = whole_number(crf, "attack.crf", 0, 51)
        self.strength = f"crf{self.crf}"
        if "libx264" not in av.codecs_available:
            raise UserError(
                "attack=h264 needs x264, which this build of PyAV lacks; "
                "`pip install --force-reinstall --only-binary=av av` installs one that has it"
            )

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        height, width = picture.shape[:2]
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return from_yuv420(self._recode(to_yuv420(even)))[:height, :width]

    def _recode(self, planes: Picture) -> Picture:
        rows, width = planes.shape
        encoder = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, rows * 2 // 3, "yuv420p"
        encoder.time_base = Fraction(1, 25)
        # One thread and no code that depends on the CPU: the same bytes every time (as in the sample's videos).
        options = {"preset": "medium", "threads": "1", "x264-params": "cpu-independent=1"}
        encoder.options = {"crf": str(self.crf), **options}
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = 0
        packets = [*encoder.encode(frame), *encoder.encode(None)]
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        (decoded,) = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
        result: Picture = decoded.to_ndarray(format="yuv420p")
        return result


def to_yuv420(picture: Picture) -> Picture:
    """Convert RGB to planar Y'CbCr 4:2:0, ITU-R BT.601 in video range."""
    height, width = picture.shape[:2]
    levels = picture.astype(np.float32)
    luma = levels @ _LUMA + 16
    chroma = cv2.resize(levels, (width // 2, height // 2), interpolation=cv2.INTER_AREA) @ _CHROMA.T + 128
    planes = np.concatenate([luma.ravel(), chroma[..., 0].ravel(), chroma[..., 1].ravel()])
    rounded: Picture = np.rint(planes).astype(np.uint8)
    return rounded.reshape(height * 3 // 2, width)


def from_yuv420(planes: Picture) -> Picture:
    """Convert what `to_yuv420` made back to RGB."""
    rows, width = planes.shape
    height = rows * 2 // 3
    levels = planes.astype(np.float32)
    halves = levels[height:].reshape(2, height // 2, width // 2) - 128
    chroma = [cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR) for half in halves]
    rgb: Picture = np.dstack([levels[:height] - 16, *chroma]) @ _TO_RGB.T
    return rgb
