"""Reads frames of a video, drawn by the video's name alone, or a photo as one frame. Damage is reported."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps

from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.system.errors import SourceError
from sr_deepfake.system.photos import is_photo, open_photo

# What FFmpeg's muxers are named by.
VIDEO_SUFFIXES = frozenset(
    {
        ".3g2", ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
        ".mxf", ".nut", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv",
    }
)  # fmt: skip


@dataclass(frozen=True)
class DrawnFrames:
    """Some frames of a video."""

    indices: list[int]  # in the video, from 0, rising
    images: list[NDArray[np.uint8]]  # RGB `H×W×3`, upright; of several sizes only if the video's size changes
    n_frames: int  # of the video
    order: list[int]  # the indices as they were drawn


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its suffix.

    >>> is_video(Path("a/clip.MP4")), is_video(Path("a/face.png"))
    (True, False)
    """
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_photo(path: Path) -> DrawnFrames:
    """Read a photo as if it were a video of one frame: upright, RGB, without alpha."""
    photo = ImageOps.exif_transpose(open_photo(path))
    return DrawnFrames([0], [np.array(photo.convert("RGB"))], 1, [0])


def moving_picture(container: "av.container.InputContainer") -> "av.VideoStream":
    """The first video stream that is no cover picture and can be decoded."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None:
            return stream
    raise SourceError("no video stream", "the file holds other streams only")


def draw_frame_indices(name: str, n_frames: int, count: int, seed: int = 0, drawn: int = 0) -> list[int]:
    """Draw frames of a video without replacement, from a seed that depends on the video's name."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "little"))
    return [int(i) for i in generator.permutation(n_frames)[drawn : drawn + count]]


def read_frames(
    path: Path, count: int = 10, min_frames: int = 2, seed: int = 0, drawn: int = 0, n_frames: int | None = None
) -> DrawnFrames:
    """Draw and decode frames of a video file, on one thread."""
    if path.is_dir():
        return _read_pictures(path, count, min_frames, seed, drawn)
    require_file(path)
    n_frames = n_frames or _declared_frames(path) or _decode(path, [])[1]
    while True:
        if n_frames < min_frames:
            raise SourceError("too short", f"{n_frames} frame{'s' * (n_frames != 1)}, at least {min_frames} wanted")
        order = draw_frame_indices(path.stem, n_frames, count, seed, drawn)
        indices = sorted(order)
        images, decoded, packets = _decode(path, indices) if indices else ([], 0, 0)
        if len(images) == len(indices):
            return DrawnFrames(indices, images, n_frames, order)
        if packets < n_frames:
            raise SourceError("truncated", f"{decoded} of {n_frames} frames are there")
        # Every packet is there, yet there are fewer frames (an edit list hides some): count what there is.
        n_frames = decoded


def frames_at(path: Path, indices: list[int]) -> list[NDArray[np.uint8]]:
    """Decode some frames of a video, those that it has; `indices` rise."""
    if path.is_dir():
        pictures = _pictures(path)
        return [read_photo(pictures[index]).images[0] for index in indices if index < len(pictures)]
    require_file(path)
    return _decode(path, indices)[0]


def _pictures(folder: Path) -> list[Path]:
    """The frames of a video that were extracted into a folder, in their order."""
    found = [path for path in folder.iterdir() if is_photo(path)]
    return sorted(found, key=lambda path: (len(path.stem), path.stem))


def _read_pictures(folder: Path, count: int, min_frames: int, seed: int, drawn: int) -> DrawnFrames:
    n_frames = len(_pictures(folder))
    if not n_frames:
        raise SourceError("unreadable", "a folder without pictures")
    if n_frames < min_frames:
        raise SourceError("too short", f"{n_frames} pictures in the folder, at least {min_frames} wanted")
    order = draw_frame_indices(folder.name, n_frames, count, seed, drawn)
    return DrawnFrames(sorted(order), frames_at(folder, sorted(order)), n_frames, order)


def require_file(path: Path) -> None:
    """Refuse what cannot be a whole video, before anything of it is decoded."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError("missing", "no such file") from error
    except OSError as error:
        raise SourceError("unreadable", error.strerror or str(error)) from error
    if not path.is_file():
        raise SourceError("unreadable", "not a file")
    if size == 0:
        raise SourceError("empty file", "0 bytes")
    if not os.access(path, os.R_OK):
        raise SourceError("unreadable", "no permission to read it")
    if _cut_short(path):
        raise SourceError("truncated", "the file ends before its data do")


def _open(path: Path) -> "av.container.InputContainer":
    try:
        return av.open(str(path))
    except av.error.FFmpegError as error:
        raise SourceError("unreadable", str(error.strerror or error)) from error


def _declared_frames(path: Path) -> int:
    """Number of frames that the container declares; 0 when it does not say."""
    with _open(path) as container:
        return int(moving_picture(container).frames)


def _decode(path: Path, wanted: list[int]) -> tuple[list[NDArray[np.uint8]], int, int]:
    """Decode up to the last wanted frame, or to the end when none is wanted: images, frames and packets that were met."""
    images: list[NDArray[np.uint8]] = []
    decoded = packets = 0
    cut = False
    with _open(path) as container:
        stream = moving_picture(container)
        stream.thread_type = "NONE"  # videos are read in parallel, one process each
        stream.codec_context.thread_count = 1
        # Without this the decoder hides damage by inventing pixels.
        stream.codec_context.options = {"err_detect": "explode"}
        try:
            for packet in container.demux(stream):
                cut = cut or packet.is_corrupt  # the file ended inside it
                packets += packet.size > 0
                for frame in packet.decode():
                    if decoded in wanted:
                        images.append(upright(frame))
                    decoded += 1
                    if wanted and decoded > wanted[-1]:
                        return images, decoded, packets
        except av.error.FFmpegError as error:
            if cut:
                raise SourceError("truncated", f"the file ends after {decoded} frames") from error
            raise SourceError("unreadable", f"damaged after {decoded} frames: {error.strerror or error}") from error
    return images, decoded, packets


def _cut_short(path: Path) -> bool:
    """Whether an MP4 file's index or data say that they reach beyond the end of the file."""
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
