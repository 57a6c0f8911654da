"""Videos for the tests: clips of people, and files that are damaged in many ways."""

from pathlib import Path

import av
import numpy as np
from media_clips import make_clip

import sr_deepfake

CLIPS = Path(sr_deepfake.__file__).parent / "data" / "sample" / "assets" / "identities"


def clips() -> list[Path]:
    return sorted(CLIPS.glob("*.mp4"))


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def encode(path: Path, frames: list[np.ndarray], options: dict[str, str] | None = None, codec: str = "libx264") -> Path:
    height, width = frames[0].shape[:2]
    return make_clip(path, len(frames), height, width, codec, muxer=options, pictures=frames)


def numbered_frames(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames whose brightness tells their number."""
    noise = np.random.default_rng(0).integers(0, 3, (height, width, 3))
    return [(noise + 10 + 4 * i).astype(np.uint8) for i in range(count)]


def number_of(frame: np.ndarray) -> int:
    return round((float(frame.mean()) - 11) / 4)


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def damage(folder: Path, person: Path) -> dict[str, str]:
    """Write damaged videos of a person into a folder; returns the reason for which each must be skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = [np.roll(frame, i, axis=1) for i in range(4) for frame in frames_of(person)]
    index_last = encode(folder / "cut_without_index.mp4", frames).read_bytes()
    index_first = encode(folder / "cut_with_index.mp4", frames, {"movflags": "faststart"}).read_bytes()
    half = len(index_first) // 2
    # Damage early enough for any draw of ten of the 40 frames to reach beyond it.
    start = index_first.index(b"mdat") + 4 + len(index_first) // 10

    contents = {
        "empty": (b"", "empty file"),
        "text": (b"this is no video\n" * 200, "unreadable"),
        "cut_with_index": (index_first[:half], "truncated"),
        "cut_without_index": (index_last[:half], "truncated"),
        "only_head": (index_last[:20], "unreadable"),
        "noise_inside": (
            index_first[:start] + np.random.default_rng(0).bytes(half // 2) + index_first[start + half // 2 :],
            "unreadable",
        ),
        "zeros_inside": (index_first[:start] + bytes(half // 2) + index_first[start + half // 2 :], "unreadable"),
    }
    for name, (content, _) in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
    sound_alone(folder / "audio.mp4")
    encode(folder / "one_frame.mp4", frames[:1])
    (folder / "folder.mp4").mkdir()
    encode(folder / "black.mp4", [np.zeros_like(frame) for frame in frames])
    (folder / "dangling.mp4").symlink_to(folder / "nowhere.mp4")
    return {name: reason for name, (_, reason) in contents.items()} | {
        "audio": "no video stream", "one_frame": "too short", "folder": "unreadable", "black": "no face",
        "dangling": "missing", "missing": "missing",
    }  # fmt: skip
