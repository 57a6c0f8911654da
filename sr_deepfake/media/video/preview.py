"""A video of another before and after the attack, side by side."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import Picture
from sr_deepfake.media.preview import side_by_side
from sr_deepfake.media.video.reader import VideoReader
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

Labels = Callable[[int], tuple[Sequence[str], Sequence[str]]]


class PreviewWriter:
    """An MP4 file of H.264 with the times of its source, and without sound.

    Args:
        path: where to write; overwritten.
        target: the name that the file will have, for messages.
        reader: the video that is attacked.
        labels: index of a frame → texts for its faces before and after; None: no texts.
    """

    def __init__(self, path: Path, target: Path, reader: VideoReader, labels: Labels | None = None) -> None:
        self._name, self._reader, self._labels = printable(str(target)), reader, labels
        with self._writing():
            self._container = av.open(str(path), "w", format="mp4")
        self._stream: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()

    def write(self, index: int, frame: "av.VideoFrame", before: Picture, crops: Sequence[Crop]) -> None:
        """Add a frame.

        Args:
            index: of the frame.
            frame: with the attacked faces.
            before: the frame as it was, upright, RGB.
            crops: squares of its faces.
        """
        sheet = side_by_side(before, upright(frame), crops, self._labels(index) if self._labels else None)
        picture = av.VideoFrame.from_ndarray(sheet, format="rgb24")
        picture.pts, picture.time_base = frame.pts, frame.time_base
        with self._writing():
            if self._stream is None:
                self._stream = self._start(picture)
            self._container.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what is left.

        Raises:
            UserError: the file cannot be written.
        """
        with self._writing():
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()

    def _start(self, picture: "av.VideoFrame") -> Any:
        source = self._reader.stream
        return self._container.add_stream(
            "libx264",
            rate=source.average_rate or Fraction(25),
            options={"crf": "18", "preset": "veryfast"},
            width=picture.width,
            height=picture.height,
            time_base=source.time_base,
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise UserError(f"{self._name} cannot be written: {error.strerror or error}") from error
