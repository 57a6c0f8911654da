"""Choice of the encoder: one that the container can hold and that takes the pixels unconverted."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import av

from sr_deepfake.system.errors import UserError, choose

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
)  # fmt: skip
# Tried in this order where H.264 will not do.
_ALTERNATIVES = ("libx264", "libvpx-vp9", "ffv1", "libx265", "mpeg4")


@dataclass(frozen=True)
class Encoding:
    """Settings of the encoder.

    Attributes:
        codec: name of FFmpeg's encoder. "auto" is libx264 (for RGB libx264rgb), in WebM libvpx-vp9.
        crf: constant rate factor of x264, x265 and VP9: 0 loses nothing, x264's worst is 51. Other encoders have none
            and take their own default.
        preset: of x264, from ultrafast to placebo: how much time is spent on making the file small. The same for
            x265, and for VP9 its `cpu-used` from 8 to 0.
        options: more of the encoder's own options, by FFmpeg's names.

    Raises:
        UserError: a value is no choice.

    >>> Encoding(crf=0, preset="fast", options={"tune": "grain"}).settings("libx264")
    {'qp': '0', 'preset': 'fast', 'tune': 'grain'}
    """

    codec: str = "auto"
    crf: int = 18
    preset: str = "medium"
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        largest = 63 if "vp9" in self.codec else 51
        if isinstance(self.crf, bool) or not isinstance(self.crf, int) or not 0 <= self.crf <= largest:
            raise UserError(f"video.crf={self.crf!r} is no whole number from 0 (lossless) to {largest} (worst)")
        choose(self.preset, PRESETS, "video.preset")

    def settings(self, codec: str) -> dict[str, str]:
        """Options of an encoder, by FFmpeg's names."""
        chosen: dict[str, str] = {}
        if codec.startswith("libx264"):
            # crf=0 would lose something in 10 bits.
            chosen = {"qp": "0"} if self.crf == 0 else {"crf": str(self.crf)}
            chosen["preset"] = self.preset
        elif codec == "libx265":
            chosen = {"x265-params": "lossless=1"} if self.crf == 0 else {"crf": str(self.crf)}
            chosen["preset"] = self.preset
        elif codec == "libvpx-vp9":
            chosen = {"lossless": "1"} if self.crf == 0 else {"crf": str(self.crf)}
            effort = len(PRESETS) - 2 - PRESETS.index(self.preset)
            chosen |= {"b": "0", "deadline": "good", "cpu-used": str(max(effort, 0)), "row-mt": "1"}
        return chosen | {name: str(value) for name, value in self.options.items()}


def encoder_for(codec: str, muxer: str, frame: "av.VideoFrame") -> str:
    """The encoder to use: `codec`, or what "auto" stands for."""
    if codec == "auto":
        codec = "libvpx-vp9" if muxer == "webm" else "libx264"
    if codec == "libx264" and frame.format.name == "rgb24":
        codec = "libx264rgb"
    if not (reason := _obstacle(codec, muxer, frame)):
        return codec
    other = next((other for other in _ALTERNATIVES if not _obstacle(other, muxer, frame)), None)
    if other:
        raise UserError(f"{reason}; video.codec={other} would do")
    raise UserError(
        f"{reason}; no encoder here would do: convert it to another container first, as with "
        "`ffmpeg -i IN -c copy OUT.mkv`"
    )


def _obstacle(codec: str, muxer: str, frame: "av.VideoFrame") -> str:
    """Why an encoder will not do; "" when it will."""
    try:
        formats = av.Codec(codec, "w").video_formats or []
    except ValueError:  # PyAV's error for an unknown codec is one
        return f"video.codec={codec}: FFmpeg has no such encoder here"
    with av.open(os.devnull, "w", format=muxer) as container:
        try:
            container.add_stream(codec)
        except ValueError:
            return f"the container {muxer} does not hold what {codec} writes"
    width, height, name = frame.width, frame.height, frame.format.name
    chroma = frame.format.components[1] if name.startswith("yuv") else None
    odd = chroma is not None and (width % (-(-width // chroma.width)) or height % (-(-height // chroma.height)))
    if name not in {known.name for known in formats} or (odd and codec.startswith("libx26")):
        return f"{codec} cannot encode {name} at {width}×{height} px"
    return ""
