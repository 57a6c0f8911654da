"""What was found in a video: its folder of crops, with `video.json`, which is written last and so says that it is whole."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sr_deepfake.data.manifest import Video
from sr_deepfake.system.files import write_json

RECORD = "video.json"
CRASHED = "worker crashed or timed out"

Record = dict[str, Any]


def read_record(folder: Path) -> Record | None:
    """Record of a finished (or skipped) video, or None where there is none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def new_record(video: Video, settings: str) -> Record:
    """Record of a video before any face is found."""
    return {
        "settings": settings,
        "video_id": video.video_id,
        "fake": video.fake,
        "source_size": source_state(video.path)[0],
        "mask_size": source_state(video.mask)[0],
        "n_frames": None,
        "faces": [],
        "frames_skipped": [],
        "several_faces": 0,
        "skip": None,
    }


def skip(record: Record, video: Video, reason: str, detail: str) -> Record:
    """Mark a record as that of a skipped video."""
    _, changed = source_state(video.path)
    return {**record, "skip": {"reason": reason, "detail": detail, "source_changed": changed}}


def is_current(folder: Path, video: Video, settings: str) -> bool:
    """Whether a video's folder holds all that extracting it again, with these settings, would find."""
    record = read_record(folder)
    if record is None or (record.get("settings"), record.get("video_id")) != (settings, video.video_id):
        return False
    if source_state(video.mask)[0] is not None and not _has_size(video.mask, record["mask_size"]):
        return False
    size, changed = source_state(video.path)
    if record["skip"] is not None:
        # A process may also have died for want of memory: try again.
        unchanged = _has_size(video.path, record["source_size"]) and record["skip"]["source_changed"] == changed
        return unchanged and record["skip"]["reason"] != CRASHED
    # A source that has been deleted since is no reason to lose its faces.
    return (size is None or _has_size(video.path, record["source_size"])) and all(
        (folder / Path(face["path"]).name).is_file() for face in record["faces"]
    )


def source_state(path: Path | None) -> tuple[int | str | None, int | None]:
    """Size in bytes (of a folder: number and sizes of its files) and time of change in ns; None if it is missing."""
    try:
        stat = path.stat() if path else None
        files = [file.stat().st_size for file in os.scandir(path)] if path and path.is_dir() else None
    except OSError:
        stat = files = None
    if stat is None:
        return None, None
    return stat.st_size if files is None else f"{len(files)} files, {sum(files)} bytes", stat.st_mtime_ns


def _has_size(path: Path | None, recorded: object) -> bool:
    """Whether a source has a recorded size; that of a folder was its own (a number) in earlier records."""
    if path is not None and path.is_dir() and isinstance(recorded, int):
        return path.stat().st_size == recorded
    return source_state(path)[0] == recorded


def publish(record: Record, crops: Mapping[str, bytes], folder: Path) -> None:
    """Write a video's folder: its crops, then its record."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    for stale in folder.glob("*.png"):
        if stale.name not in crops:
            stale.unlink(missing_ok=True)
    for name, content in crops.items():
        (folder / name).write_bytes(content)
    write_json(folder / RECORD, record)
