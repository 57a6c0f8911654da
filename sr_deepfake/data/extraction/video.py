"""Reads frames of a video, drawn by the video's name alone. Damage is reported, not smoothed over."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

REASONS = ("missing", "empty file", "unreadable", "no video stream", "truncated", "too short")


class VideoError(Exception):
    """A video from which no frames can be taken.

    Attributes:
        reason: one of `REASONS`.
        detail: what exactly was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class DrawnFrames:
    """Some frames of a video.

    Attributes:
        indices: place of each frame in the video, from 0, rising.
        images: uint8 RGB `H×W×3`, turned upright if the file asks for it. Sizes differ only if the video's
            size does.
        n_frames: how many frames the video has.
    """

    indices: list[int]
    images: list[NDArray[np.uint8]]
    n_frames: int


def draw_frame_indices(name: str, n_frames: int, count: int, seed: int = 0) -> list[int]:
    """Draw frames of a video without replacement, from a seed that depends on the video's name.

    Args:
        name: the video's file stem, so that the forgeries of a pair by several methods give the same frames.
        n_frames: how many there are.
        count: how many are wanted; all are taken when there are fewer.
        seed: another number gives another draw.

    Returns:
        Indices from 0 to `n_frames - 1`, rising.

    >>> draw_frame_indices("000_003", n_frames=300, count=4)
    [19, 152, 164, 223]
    >>> draw_frame_indices("000_003", n_frames=3, count=10)
    [0, 1, 2]
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    return sorted(int(i) for i in generator.permutation(n_frames)[:count])


def read_frames(path: Path | str, count: int = 10, min_frames: int = 2, seed: int = 0) -> DrawnFrames:
    """Draw and decode frames of a video file, on one thread.

    All frames up to the last drawn one are decoded, and none of them may be damaged: indices are exact, and
    no frame is the decoder's guess.

    Args:
        path: the file. Its stem is the name that the draw depends on.
        count: how many frames.
        min_frames: a video of fewer frames is too short.
        seed: of the draw.

    Raises:
        VideoError: when the frames cannot be had; its reason is one of `REASONS`.

    >>> read_frames("no/such/video.mp4")
    Traceback (most recent call last):
        ...
    sr_deepfake.data.extraction.video.VideoError: missing: no/such/video.mp4
    """
    path = Path(path)
    require_file(path)
    n_frames = _declared_frames(path) or _decode(path, []).decoded
    while True:
        if n_frames < min_frames:
            raise VideoError(
                "too short", f"{n_frames} frame{'s' * (n_frames != 1)}, at least {min_frames} wanted"
            )
        indices = draw_frame_indices(path.stem, n_frames, count, seed)
        pass_ = _decode(path, indices)
        if len(pass_.images) == len(indices):
            return DrawnFrames(indices, pass_.images, n_frames)
        if pass_.packets < n_frames:
            raise VideoError("truncated", f"{pass_.decoded} of {n_frames} frames are there")
        # Every packet is there, yet there are fewer frames (an edit list hides some): count what there is.
        n_frames = pass_.decoded


@dataclass
class _Pass:
    """What one pass through a file gave."""

    images: list[NDArray[np.uint8]]
    decoded: int = 0
    packets: int = 0


def require_file(path: Path) -> None:
    """Refuse what cannot be a whole video, before anything of it is decoded.

    Args:
        path: the file.

    Raises:
        VideoError: it is missing, empty, not to be read, or an MP4 file that ends before its data do.
    """
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoError("missing", str(path)) from error
    except OSError as error:
        raise VideoError("unreadable", error.strerror or str(error)) from error
    if not path.is_file():
        raise VideoError("unreadable", "not a file")
    if size == 0:
        raise VideoError("empty file", "0 bytes")
    if not os.access(path, os.R_OK):
        raise VideoError("unreadable", "no permission to read it")
    if _cut_short(path):
        raise VideoError("truncated", "the file ends before its data do")


def _open(path: Path) -> "av.container.InputContainer":
    try:
        container = av.open(str(path))
    except av.error.FFmpegError as error:
        raise VideoError("unreadable", _message(error)) from error
    if not container.streams.video:
        container.close()
        raise VideoError("no video stream", "the file holds other streams only")
    return container


def _declared_frames(path: Path) -> int:
    """Number of frames that the container declares; 0 when it does not say."""
    with _open(path) as container:
        return int(container.streams.video[0].frames)


def _decode(path: Path, wanted: list[int]) -> _Pass:
    """Decode up to the last wanted frame, or to the end when none is wanted."""
    result = _Pass(images=[])
    pending = set(wanted)
    with _open(path) as container:
        for frame in _frames(container, result):
            if result.decoded in pending:
                pending.remove(result.decoded)
                result.images.append(_upright(frame))
            result.decoded += 1
            if wanted and not pending:
                break
    return result


def _frames(container: "av.container.InputContainer", result: _Pass) -> Iterator["av.VideoFrame"]:
    """Decode frame by frame; count packets in `result`; turn every kind of damage into a VideoError."""
    stream = container.streams.video[0]
    stream.thread_type = "NONE"  # videos are read in parallel, one process each
    stream.codec_context.thread_count = 1
    # Without this the decoder hides damage by inventing pixels.
    stream.codec_context.options = {"err_detect": "explode"}
    cut = False
    try:
        for packet in container.demux(stream):
            cut = cut or packet.is_corrupt  # the file ended inside it
            result.packets += packet.size > 0
            yield from packet.decode()
    except av.error.FFmpegError as error:
        if cut:
            raise VideoError("truncated", f"the file ends after {result.decoded} frames") from error
        raise VideoError("unreadable", f"damaged after {result.decoded} frames: {_message(error)}") from error


def _upright(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    # Counter-clockwise, from the container's display matrix; phones write it, most videos have none.
    return np.ascontiguousarray(np.rot90(image, k=round(frame.rotation / 90) % 4))


def _cut_short(path: Path) -> bool:
    """Whether an MP4 file's index or data say that they reach beyond the end of the file.

    Checked before decoding: otherwise a cut file would pass whenever the frames drawn happen to lie before
    the cut.
    """
    size, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while start + 8 <= size:
            file.seek(start)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if start == 0 and header[4:8] != b"ftyp":
                return False
            if length == 1:  # the true length follows in 64 bits
                length = int.from_bytes(header[8:16], "big")
            if length < 8:  # 0 stands for the rest of the file
                return False
            start += length
            if start > size:
                return header[4:8] in (b"moov", b"mdat")  # else it is some harmless trailer
    return False


def _message(error: "av.error.FFmpegError") -> str:
    return str(error.strerror or error)
