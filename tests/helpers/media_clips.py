"""Clips for the tests: small videos of every kind, and what of a video can be compared."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import FoundFaces

SUBTITLE = b"\0\5hello"  # as MP4 writes them: length, text


def picture(index: int, height: int, width: int) -> np.ndarray:
    """Colours that change slowly, as chroma can show them, with fine grey noise; they move."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 19 + i) + np.sin((columns - 2 * index) / 23 + 2 * i) for i in range(3)]
    noise = np.random.default_rng(0).integers(-12, 13, (height, width, 1))
    return (128 + 38 * np.stack(waves, 2) + noise).astype(np.uint8)


def make_clip(
    path: Path,
    count: int = 12,
    height: int = 120,
    width: int = 160,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    times: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    colour: dict[str, int] | None = None,
    rotation: float | None = None,
    matrix: tuple[int, int, int, int] | None = None,
    sound: str = "",
    subtitles: bool = False,
    metadata: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    chapters: list[dict[str, Any]] | None = None,
    pictures: list[np.ndarray] | None = None,
) -> Path:
    """Write a clip; `times` are in `time_base`, `colour` are attributes of the frames and the stream."""
    times = list(range(count)) if times is None else times
    with av.open(str(path), "w", container_options=muxer or {}) as container:
        video: Any = container.add_stream(codec, rate=25, width=width, height=height, time_base=time_base)
        video.pix_fmt = pix_fmt
        video.codec_context.flags |= Flags.frame_duration
        video.options = {"crf": "12"} if codec == "libx264" and options is None else options or {}
        for name, value in (colour or {}).items():
            setattr(video.codec_context, name, value)
        if rotation is not None:
            video.set_display_rotation(rotation)
        if matrix is not None:
            a, b, c, d = (65536 * n for n in matrix)
            video.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        container.metadata.update(metadata or {})
        container.set_chapters(chapters or [])
        audio: Any = container.add_stream(sound, rate=48000) if sound else None
        text = container.add_mux_stream("mov_text", time_base=Fraction(1, 1000)) if subtitles else None
        if text is not None:
            text.metadata["language"] = "deu"
        for i, time in enumerate(times):
            image = pictures[i] if pictures else picture(i, height, width)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame = frame.reformat(
                format=pix_fmt,
                dst_colorspace=(colour or {}).get("colorspace"),
                dst_color_range=(colour or {}).get("color_range"),
            )
            for name, value in (colour or {}).items():
                setattr(frame, name, value)
            frame.pts, frame.time_base = time, time_base
            frame.duration = [*times[1:], 2 * times[-1] - times[-2] if count > 1 else time + 1][i] - time
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            seconds = float(times[-1] * time_base) + 0.04
            for i in range(round(seconds * 48000 / 960)):
                tone = np.sin(np.arange(960) * (0.01 + i / 1000)).astype(np.float32)[None].repeat(2, 0)
                sound_frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone), "fltp", "stereo")
                sound_frame.sample_rate, sound_frame.pts = 48000, i * 960
                container.mux(audio.encode(sound_frame))
            container.mux(audio.encode(None))
        if text is not None:
            packet = av.Packet(SUBTITLE)
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts, packet.dts, packet.duration = 40, 40, 200
            container.mux(packet)
    return path


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def planes_of(frame: av.VideoFrame) -> list[np.ndarray]:
    kind = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1).view(kind)
        planes.append(rows[:, : plane.width].copy())
    return planes


def packets_of(path: Path, kind: str) -> list[tuple[Any, ...]]:
    """Bytes and times of a stream's packets."""
    with av.open(str(path)) as container:
        (stream,) = [stream for stream in container.streams if stream.type == kind]
        return [
            (bytes(packet), packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
            for packet in container.demux(stream)
            if packet.size
        ]


class Fixed:
    """Finds the same squares in every frame, and remembers the frames."""

    def __init__(self, *crops: Crop, too_small: int = 0) -> None:
        self.found = FoundFaces(list(crops), too_small)
        self.seen: list[np.ndarray] = []

    def __call__(self, frames: Any) -> list[FoundFaces]:
        self.seen += list(frames)
        return [self.found for _ in frames]


def darken(faces: Any) -> list[np.ndarray]:
    """An attack that is easily seen: every face 40 levels darker."""
    return [np.maximum(face, 40) - 40 for face in faces]
