"""Writes a video as another one was: frames encoded anew, every other stream as it is, all that describes them kept."""

import contextlib
import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.codec.context import Flags

from sr_deepfake.data.extraction.orientation import orientation_of
from sr_deepfake.media.video.encoder import Encoding, encoder_for, muxer_of
from sr_deepfake.media.video.reader import VideoReader
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

_PROGRESSIVE = (0, 1)  # FFmpeg's field orders: not known, and none
_MP4 = ("mp4", "mov", "3gp", "3g2")
# What may describe a picture, by FFmpeg's names.
_DESCRIPTIONS = {
    "MASTERING_DISPLAY_METADATA": "HDR10 metadata (mastering display)",
    "CONTENT_LIGHT_LEVEL": "HDR10 metadata (content light level)",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "SPHERICAL": "the spherical projection",
    "STEREO3D": "the stereoscopic layout",
}
# What the muxer says of the file itself.
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration"}


class VideoWriter:
    """A video file that is being made from another.

    Kept are: size, rate, times, time base, rotation, shape of pixels, pixel format, range, matrix, primaries, transfer,
    interlacing; metadata of the file and its streams, chapters; and the packets of the streams of sound, subtitles and
    attachments. Streams of data (time codes, sensors) are left out, and covers and further moving pictures, since they
    show the old face. AVI and WMV hold one
    time a frame: there H.264 is written without B-frames, and FFmpeg reads it back one frame late
    (`video.codec=mpeg4` is not).

    Args:
        path: where to write; overwritten.
        target: the name that the file will have: its suffix says the container, and messages name it.
        reader: the video that it is made from.
        encoding: how frames are encoded.

    Attributes:
        left_out: what was not kept: kinds of streams, such as "data"; once it is finished, descriptions of the picture.

    Raises:
        UserError: the container, the encoder and the picture do not fit together, or the file cannot be written.
    """

    def __init__(self, path: Path, target: Path, reader: VideoReader, encoding: Encoding) -> None:
        self.name = printable(str(target))
        self._path = path
        self.left_out: list[str] = []
        self._reader = reader
        self._muxer = muxer_of(target)
        with self._writing():
            self._container = av.open(str(path), "w", format=self._muxer, container_options=self._options(target))
        self._finished = False
        try:
            with self._writing():
                self._stream = self._add_picture(encoding)
                self._copies = self._add_copies()
                self._container.start_encoding()
            if unknown := set(encoding.options) & set(self._stream.codec_context.options):
                raise UserError(f"video.options: {self._stream.codec_context.name} has no option {min(unknown)}")
        except BaseException:
            self._abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._abandon()

    def write(self, item: "av.VideoFrame | av.Packet") -> None:
        """Write a frame, or copy a packet of another stream.

        Raises:
            UserError: the file cannot be written.
        """
        with self._writing():
            if isinstance(item, av.VideoFrame):
                item.pict_type = 0  # the encoder chooses it anew
                self._container.mux(self._stream.encode(item))
            elif item.stream.index in self._copies and not self._ends_subtitle(item):
                item.stream = self._copies[item.stream.index]
                if item.dts is None:
                    item.dts = item.pts
                self._container.mux(item)

    def finish(self) -> None:
        """Write what is left.

        Raises:
            UserError: the file cannot be written.
        """
        with self._writing():
            self._container.mux(self._stream.encode(None))
            self._finished = True
            self._container.close()
            self._tell_lost_descriptions()

    def _tell_lost_descriptions(self) -> None:
        """Compare what describes the first frame before and after: not every container and encoder keeps all."""
        before = self._reader.first
        with av.open(str(self._path)) as container:
            after = next(container.decode(container.streams.video[0]), None)
        if after is not None and orientation_of(after) != orientation_of(before):
            self.left_out.append(f"the orientation ({orientation_of(before)})")
        kept = {} if after is None else after.side_data
        self.left_out += [
            words
            for name, words in _DESCRIPTIONS.items()
            if before.side_data.get(name) is not None and kept.get(name) is None
        ]
        if any(name.lower() == "alpha_mode" and value == "1" for name, value in self._reader.stream.metadata.items()):
            self.left_out.append("transparency")

    def _options(self, target: Path) -> dict[str, str]:
        options = {}
        time_base = self._reader.stream.time_base
        if self._muxer in _MP4:
            if time_base is not None and time_base.numerator == 1:
                options["video_track_timescale"] = str(time_base.denominator)
            # Names with dots are a phone's own; without this only a few well-known ones are written.
            if any("." in key for key in self._reader.container.metadata):
                options["movflags"] = "use_metadata_tags"
        if self._muxer == "mpegts":
            options["mpegts_copyts"] = "1"
            options["mpegts_m2ts_mode"] = str(int(target.suffix.lower() in (".m2ts", ".mts")))
        return options

    def _ends_subtitle(self, packet: "av.Packet") -> bool:
        # MP4's empty subtitles, which stand for the time between two: the muxer writes them by itself.
        return self._muxer in _MP4 and packet.stream.type == "subtitle" and bytes(packet) == b"\0\0"

    def _add_picture(self, encoding: Encoding) -> "av.VideoStream":
        source, frame = self._reader.stream, self._reader.first
        codec = encoder_for(encoding.codec, self._muxer, frame)
        options = encoding.settings(codec)
        if self._muxer in ("avi", "asf") and codec.startswith("libx26"):
            options.setdefault("bf", "0")  # they say only when a frame is decoded, not when it is shown
        stream: Any = self._container.add_stream(
            codec,
            rate=source.average_rate or source.guessed_rate or Fraction(25),
            options=options,
            width=frame.width,
            height=frame.height,
            time_base=source.time_base,
        )
        context = stream.codec_context
        stream.time_base = source.time_base
        context.pix_fmt = frame.format.name
        context.flags |= Flags.frame_duration
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        for name in ("color_range", "color_primaries", "color_trc", "colorspace"):
            setattr(context, name, getattr(frame, name))
        if frame.format.name.startswith("gray") and not frame.color_range:
            context.color_range = 2  # full, as it is shown; H.264's grey would be taken for limited
        if source.codec_context.field_order not in _PROGRESSIVE:
            context.field_order = source.codec_context.field_order
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is not None:
            stream.set_display_matrix(np.frombuffer(matrix, np.int32).tolist())
        stream.disposition = source.disposition
        stream.metadata.update(_kept(source.metadata))
        self._container.metadata.update(_kept(self._reader.container.metadata))
        self._container.set_chapters(self._reader.container.chapters())
        return stream  # type: ignore[no-any-return]

    def _add_copies(self) -> dict[int, "av.stream.Stream"]:
        copies: dict[int, av.stream.Stream] = {}
        for source in self._reader.container.streams:
            if source is self._reader.stream:
                continue
            if source.type == "video":  # it shows the old face
                cover = source.disposition & av.stream.Disposition.attached_pic
                self.left_out.append("cover picture" if cover else "a second moving picture")
                continue
            try:
                if source.type == "data" or (source.codec_context is None and source.type != "attachment"):
                    raise ValueError
                if source.type == "audio" and not _holds(self._muxer, self._reader.path, source.index):
                    raise ValueError
                copy: Any = self._container.add_stream_from_template(source, opaque=True)
            except ValueError:  # PyAV's word for: the container does not hold it
                self.left_out.append(source.type)
                continue
            copy.metadata.update(_kept(source.metadata))
            copy.disposition = source.disposition
            copies[source.index] = copy
        return copies

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            raise UserError(f"{self.name} cannot be written: {error.strerror or error}") from error

    def _abandon(self) -> None:
        self._finished = True
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()


def _holds(muxer: str, path: Path, index: int) -> bool:
    """Whether a container takes a stream of a file: tried in memory, since some refuse at their end only."""
    with av.open(str(path)) as source:
        stream = source.streams[index]
        try:
            with av.open(io.BytesIO(), "w", format=muxer) as container:
                copy = container.add_stream_from_template(stream, opaque=True)
                for packet in itertools.islice(source.demux(stream), 1):
                    packet.stream = copy
                    container.mux(packet)
        except (av.error.FFmpegError, ValueError):
            return False
    return True


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.lower() not in _OF_THE_FILE}
