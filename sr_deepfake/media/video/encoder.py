"""Choice of the encoder: one that the container can hold and that takes the pixels unconverted."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import av

from sr_deepfake.system.errors import UserError, choose

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
)  # fmt: skip
# What crf=0 is for each encoder; as such it would lose something in x264's 10 bits.
_LOSSLESS = {
    "libx264": {"qp": "0"}, "libx264rgb": {"qp": "0"}, "libx265": {"x265-params": "lossless=1"},
    "libvpx-vp9": {"lossless": "1"},
}  # fmt: skip
# Tried in this order where H.264 will not do.
_ALTERNATIVES = ("libx264", "libvpx-vp9", "ffv1", "libx265", "mpeg4")


@dataclass(frozen=True)
class Encoding:
    """Settings of the encoder."""

    codec: str = "auto"  # FFmpeg's name; "auto" is libx264 (for RGB libx264rgb), in WebM libvpx-vp9
    crf: int = 18  # of x264, x265 and VP9: 0 loses nothing, x264's worst is 51. Others take their own default
    preset: str = "medium"  # of x264 and x265, from ultrafast to placebo; of VP9 its `cpu-used` from 8 to 0
    options: Mapping[str, str] = field(default_factory=dict)  # more of the encoder's own, by FFmpeg's names

    def __post_init__(self) -> None:
        largest = 63 if "vp9" in self.codec else 51
        if isinstance(self.crf, bool) or not isinstance(self.crf, int) or not 0 <= self.crf <= largest:
            raise UserError(f"video.crf={self.crf!r} is no whole number from 0 (lossless) to {largest} (worst)")
        choose(self.preset, PRESETS, "video.preset")

    def settings(self, codec: str) -> dict[str, str]:
        """Options of an encoder, by FFmpeg's names."""
        own = {name: str(value) for name, value in self.options.items()}
        if codec not in _LOSSLESS:
            return own
        chosen = _LOSSLESS[codec] if self.crf == 0 else {"crf": str(self.crf)}
        if codec == "libvpx-vp9":
            effort = len(PRESETS) - 2 - PRESETS.index(self.preset)
            chosen = chosen | {"b": "0", "deadline": "good", "cpu-used": str(max(effort, 0)), "row-mt": "1"}
        else:
            chosen = chosen | {"preset": self.preset}
        if codec in ("libx264", "libx264rgb"):
            chosen["x264-params"] = "cpu-independent=1"  # otherwise its bytes differ from run to run
        return chosen | own


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
