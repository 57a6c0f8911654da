"""Reads a video whole: its frames, and the packets of its other streams, in the order of the file."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from sr_deepfake.data.extraction.orientation import orientation_of
from sr_deepfake.data.extraction.video import moving_picture, require_file
from sr_deepfake.media.video.planes import check_matrix, working_format
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import printable

_BACK = 0.5  # s that a frame may be shown before the one before it; then it is moved behind it
_SHORTFALL = 1.0  # s that a file may end before the duration that it declares


class VideoReader:
    """A video file that is open: `items` are its frames, as they are shown, and packets of other streams, as they lie in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, printable(str(path))
        self.damaged: float | None = None  # s from which on the file is damaged, as far as it was read
        self._kind = ""
        self._time = 0.0
        self._last: int | None = None
        try:
            require_file(path)
            self.container = av.open(str(path))
        except (SourceError, av.error.FFmpegError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"{self.name} cannot be read as a video: {reason}") from error
        try:
            self.stream = moving_picture(self.container)  # no cover
            self.stream.thread_type = "AUTO"
            items, before = self._decode(), list[av.VideoFrame | av.Packet]()
            for item in items:
                before.append(item)
                if isinstance(item, av.VideoFrame):
                    self.first = item
                    break
            else:
                raise UserError("no frame of it can be decoded")
            check_matrix(self.first)
            self.items = itertools.chain(before, items)
        except (UserError, SourceError) as error:
            self.close()
            raise UserError(f"{self.name} cannot be attacked: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    @property
    def frames(self) -> int | None:
        """Number of frames according to the file: declared, or estimated from its duration."""
        if self.stream.frames:
            return int(self.stream.frames)
        if self.container.duration and self.stream.average_rate:
            return max(1, round(self.container.duration / av.time_base * self.stream.average_rate))
        return None

    def _decode(self) -> "Iterator[av.VideoFrame | av.Packet]":
        packets, end = self.container.demux(), 0.0
        packet: av.Packet | None
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:  # the demuxer finds nothing more in what is left
                self._damage()
                packet = None
            if packet is not None and packet.pts is not None and packet.time_base is not None:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if packet is not None and packet.stream is not self.stream:
                if packet.size:  # else it marks the end of a stream
                    yield packet
                continue
            try:
                for frame in self.stream.decode(packet):
                    yield self._decoded(frame)
            except av.error.EOFError:  # it was flushed already, by the last packet
                pass
            except av.error.FFmpegError:
                self._damage()
            if packet is None:
                break
        if (self.container.duration or 0) / av.time_base > end + _SHORTFALL:
            self._damage()

    def _damage(self) -> None:
        if self.damaged is None:
            self.damaged = self._time

    def _decoded(self, frame: "av.VideoFrame") -> "av.VideoFrame":
        if frame.is_corrupt:
            self._damage()
        self._time = self._time if frame.time is None else frame.time
        wanted = working_format(frame.format.name)
        given = frame if wanted == frame.format.name else frame.reformat(format=wanted, threads=1)
        given.pts = self._pts(frame.pts)
        kind = f"{given.width}×{given.height} {given.format.name} {orientation_of(given)}"
        if kind != (self._kind or kind):
            raise UserError(
                f"{self.name} changes from {self._kind} to {kind} at {given.time or 0:.2f} s; cut it there, and attack the "
                "parts one by one"
            )
        self._kind = kind
        return given

    def _pts(self, pts: int | None) -> int:
        """The frame's time, or the next if it has none (AVI: frames are evenly spaced); always later than the last."""
        if self._last is None:
            self._last = pts or 0
        elif pts is None:
            rate, time_base = self.stream.average_rate or 25, self.stream.time_base or Fraction(1, 25)
            self._last += max(1, round(1 / (rate * time_base)))
        elif (back := float((self._last - pts) * (self.stream.time_base or 0))) > _BACK:
            raise UserError(
                f"{self.name}: timestamps jump back by {back:.2f} s (joined recordings). Join them "
                "again, as with `ffmpeg -f concat`, or attack the parts one by one"
            )
        else:
            self._last = max(pts, self._last + 1)
        return self._last
