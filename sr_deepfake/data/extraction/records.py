"""The folder of one video's faces: its PNG crops, and the record `video.json` of how they came about.

A folder appears whole or not at all: it is filled in a folder of the run's own and then renamed.
"""

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sr_deepfake.data.manifest import Video

RECORD_NAME = "video.json"
PARTIAL = ".partial"  # folder inside the output folder, for what is not finished
GIVEN_UP = "given up"  # the process that decoded it died or hung

Record = dict[str, Any]


def video_folder(out: Path, video: Video) -> Path:
    """Folder of a video's faces."""
    return out / video.method / video.stem


def read_record(folder: Path) -> Record | None:
    """Record of a finished (or skipped) video, or None when there is none."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def new_record(video: Video, settings: str) -> Record:
    """Record of a video before any face is found.

    Args:
        video: the video.
        settings: fingerprint of the settings of the extraction.
    """
    facts = {name: getattr(video, name) for name in ("method", "label", "split", "target", "source")}
    size, _ = source_state(video.path)
    return {
        "settings": settings,
        "video": {"video_id": video.video_id, **facts},
        "source_size": size,
        "mask_size": None if video.mask is None else source_state(video.mask)[0],
        "n_frames": None,
        "faces": [],
        "frames_skipped": [],
        "several_faces": 0,
        "skip": None,
    }


def skip(record: Record, video: Video, reason: str, detail: str) -> Record:
    """Mark a record as that of a skipped video.

    The file's time of change is kept here only: a repaired file shall be tried again, while the record of a
    video that gave faces is the same wherever and whenever it is made.
    """
    _, changed = source_state(video.path)
    return {**record, "skip": {"reason": reason, "detail": detail, "source_changed": changed}}


def is_current(record: Record | None, folder: Path, video: Video, settings: str) -> bool:
    """Whether a record says all that extracting the video again, with these settings, would find."""
    if record is None:
        return False
    fresh = new_record(video, settings)
    if record.get("settings") != settings or record.get("video") != fresh["video"]:
        return False
    if fresh["mask_size"] not in (None, record["mask_size"]):
        return False
    size, changed = source_state(video.path)
    if record["skip"] is not None:
        # A process may also have died for want of memory: try again.
        unchanged = (record["source_size"], record["skip"]["source_changed"]) == (size, changed)
        return unchanged and record["skip"]["reason"] != GIVEN_UP
    # A source that has been deleted since is no reason to lose its faces.
    return size in (None, record["source_size"]) and all(
        (folder / Path(face["path"]).name).is_file() for face in record["faces"]
    )


def source_state(path: Path) -> tuple[int | None, int | None]:
    """Size in bytes and time of change in ns of a file; None if it is missing."""
    try:
        stat = path.stat()
    except OSError:
        return None, None
    return stat.st_size, stat.st_mtime_ns


def publish(record: Record, crops: dict[str, bytes], folder: Path, run_folder: Path) -> None:
    """Write a video's folder and move it into place.

    Args:
        record: the video's record.
        crops: content of each PNG file by its name.
        folder: where it goes; replaced when it is there.
        run_folder: this run's folder for unfinished work, on the same file system.
    """
    part = run_folder / uuid.uuid4().hex
    part.mkdir()
    for name, content in crops.items():
        (part / name).write_bytes(content)
    (part / RECORD_NAME).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            os.rename(part, folder)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            return
        with contextlib.suppress(FileNotFoundError):  # another run may be replacing it, too
            os.rename(folder, run_folder / f"old-{uuid.uuid4().hex}")


@contextlib.contextmanager
def run_folder(out: Path) -> Iterator[Path]:
    """A folder for this run's unfinished work, removed at the end; folders of dead runs are removed first.

    A run holds a file lock for as long as it lives, by which the folders of dead runs are told from live
    ones.
    """
    partial = out / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    for folder in [path for path in partial.iterdir() if path.is_dir()]:
        lock = FileLock(partial / f"{folder.name}.lock")
        with contextlib.suppress(Timeout), lock.acquire(blocking=False):
            _remove(folder)
    own = partial / uuid.uuid4().hex
    with FileLock(partial / f"{own.name}.lock"):
        own.mkdir()
        try:
            yield own
        finally:
            _remove(own)


def _remove(folder: Path) -> None:
    # A process of a dead run may be writing its last file: what it leaves is removed by the next run.
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        folder.with_name(f"{folder.name}.lock").unlink(missing_ok=True)
