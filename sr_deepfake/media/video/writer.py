"""Writes a video as another one was: frames encoded again, every other stream as it is, all that describes them kept."""

import contextlib
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from sr_deepfake.data.extraction.orientation import orientation_of
from sr_deepfake.data.extraction.video import VIDEO_SUFFIXES, moving_picture
from sr_deepfake.media.video.encoder import Encoding, encoder_for
from sr_deepfake.media.video.reader import VideoReader
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

_WRITTEN = VIDEO_SUFFIXES - {".ogv"}  # for Ogg FFmpeg has no encoder that keeps quality and times
_MUXERS = {".m4v": "mp4", ".qt": "mov"}  # where FFmpeg's own choice by the suffix is another
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
    """A video file that is being made from another."""

    def __init__(self, path: Path, target: Path, reader: VideoReader, encoding: Encoding) -> None:
        self.name = printable(str(target))
        self._reader = reader
        suffix = target.suffix.lower()
        if suffix not in _WRITTEN:
            known = ", ".join(sorted(_WRITTEN))
            raise UserError(
                f"{self.name}: videos are not written as {suffix or 'a file without a suffix'}; use one of {known}"
            )
        with self._writing():
            self._container = av.open(
                str(path), "w", format=_MUXERS.get(suffix), container_options=self._options(suffix)
            )
        self._muxer = self._container.format.name
        try:
            with self._writing():
                self._stream = self._add_picture(encoding)
                self._copies = self._add_copies()
                self._container.start_encoding()
            if unknown := set(encoding.options) & set(self._stream.codec_context.options):
                raise UserError(f"video.options: {self._stream.codec_context.name} has no option {min(unknown)}")
        except BaseException:
            self.close()
            raise

    def write(self, item: "av.VideoFrame | av.Packet") -> None:
        """Write a frame, or copy a packet of another stream."""
        with self._writing():
            if isinstance(item, av.VideoFrame):
                item.pict_type = 0  # the encoder chooses it
                self._container.mux(self._stream.encode(item))
            elif item.stream.index in self._copies and not self._ends_subtitle(item):
                item.stream = self._copies[item.stream.index]
                if item.dts is None:
                    item.dts = item.pts
                self._container.mux(item)

    def finish(self) -> None:
        """Write what is left."""
        with self._writing():
            self._container.mux(self._stream.encode(None))
            self._container.close()

    def close(self) -> None:
        """Close the file, whole after `finish`, else as it is."""
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()

    def _options(self, suffix: str) -> dict[str, str]:
        options = {}
        time_base = self._reader.stream.time_base
        if suffix in (".mp4", ".mov", ".m4v", ".qt", ".3gp", ".3g2"):
            if time_base is not None and time_base.numerator == 1:
                options["video_track_timescale"] = str(time_base.denominator)
            # Names with dots are a phone's own; without this only a few well-known ones are written.
            if any("." in key for key in self._reader.container.metadata):
                options["movflags"] = "use_metadata_tags"
        if suffix in (".ts", ".m2ts", ".mts"):
            options["mpegts_copyts"] = "1"
            options["mpegts_m2ts_mode"] = str(int(suffix != ".ts"))
        return options

    def _ends_subtitle(self, packet: "av.Packet") -> bool:
        # MP4's empty subtitles, which stand for the time between two: the muxer writes them by itself.
        return (
            self._muxer in ("mp4", "mov", "3gp", "3g2")
            and packet.stream.type == "subtitle"
            and bytes(packet) == b"\0\0"
        )

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
        if source.codec_context.field_order not in (0, 1):  # not known, and none
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
            undecodable = source.codec_context is None and source.type != "attachment"
            if source.type in ("video", "data") or undecodable:
                continue
            if source.type == "audio" and not _holds(self._muxer, self._reader.path, source.index):
                continue
            with contextlib.suppress(ValueError):  # PyAV's word for: the container does not hold it
                copy: Any = self._container.add_stream_from_template(source, opaque=True)
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


def missing_parts(source: Path, target: Path) -> tuple[str, ...]:
    """What a written video lacks of its source, in words: streams, orientation, transparency, descriptions of the picture."""
    with av.open(str(source)) as before, av.open(str(target)) as after:
        lost = list((Counter(map(_kind, before.streams)) - Counter(map(_kind, after.streams))).elements())
        streams = [moving_picture(container) for container in (before, after)]
        old, new = (
            next(container.decode(stream), None) for container, stream in zip((before, after), streams, strict=True)
        )
        if old is None or new is None:
            return tuple(lost)
        if orientation_of(old) != orientation_of(new):
            lost.append(f"the orientation ({orientation_of(old)})")
        lost += [
            words for name, words in _DESCRIPTIONS.items() if old.side_data.get(name) and not new.side_data.get(name)
        ]
        if any(name.lower() == "alpha_mode" and value == "1" for name, value in streams[0].metadata.items()):
            lost.append("transparency")
    return tuple(dict.fromkeys(lost))


def _kind(stream: "av.stream.Stream") -> str:
    if stream.type != "video":
        return str(stream.type)
    return "cover picture" if stream.disposition & av.stream.Disposition.attached_pic else "a second moving picture"


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
