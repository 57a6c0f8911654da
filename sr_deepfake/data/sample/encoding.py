"""Writes a clip as H.264: the same settings for pristine and forged ones, the same bytes every time."""

from pathlib import Path

import av

from sr_deepfake.data.sample.assets import Frames

FRAMES_PER_SECOND = 10
# One thread, because x264's rate control depends on how many there are; and `cpu-independent`, because without
# it the vectorised look-ahead (mbtree) of some CPUs gives other bytes from one run to the next.
CODEC_OPTIONS = {"crf": "23", "preset": "medium", "threads": "1", "x264-params": "cpu-independent=1"}


def write_clip(path: Path, frames: Frames) -> None:
    """Encode a clip.

    Args:
        path: the file; its folder must exist. Its name does not go into the file's contents.
        frames: uint8 RGB, `N×H×W×3`, both sides even.
    """
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=CODEC_OPTIONS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
