"""Faces that DeepfakeBench prepared: aligned crops, and a JSON for each data set.

    {DATASET: {LABEL: {"train"|"val"|"test": {[COMPRESSION:] {VIDEO: {"label": LABEL, "frames": [PATH, …]}}}}}}

Labels that end in `real` are pristine faces; any other is a forgery method of that name. Paths may be those of another
machine, or hold backslashes: they are looked for below the root. Faces are taken as they are, frames evenly, and get
a second name next to the manifest (a copy on another file system).
"""

import hashlib
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.summary import counts_in_words
from sr_deepfake.data.manifest import (
    MANIFEST,
    PRISTINE,
    VIDEOS,
    DataNotFoundError,
    FaceSet,
    read_manifest,
    video_table,
    write_manifest,
    write_videos,
)
from sr_deepfake.data.sources.data_set import ORIGIN, origin_of
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError, choose
from sr_deepfake.system.files import read_text, replacing, safe_name, write_json

log = logging.getLogger(__name__)

# Names of videos that tell people, of FaceForensics++, Celeb-DF and DeepFakeDetection.
_NAMES = [
    re.compile(each) for each in (r"(\d{3})(?:_(\d{3}))?$", r"(id\d+)(?:_(id\d+))?_\d+$", r"(\d\d)(?:_(\d\d))?__")
]

Entry = tuple[dict[str, object], list[str]]  # a row of the table of videos, and the paths of the frames


class DeepfakeBench:
    """Faces that DeepfakeBench prepared, below `root` and named by JSON files: `lists` (None: those in the root)."""

    name = "deepfakebench"
    margin = None  # that of the aligned faces is not ours
    illustration = ""

    def __init__(
        self,
        root: str | None,
        lists: str | Sequence[str] | None = None,
        compression: str = "c23",
        crops: str | None = None,
        outputs: str = "outputs",
        settings: ExtractionSettings | None = None,
        workers: int | None = None,  # not used, as the device: no face is looked for
        device: str = "cpu",
    ) -> None:
        if root is None and crops is None:
            raise UserError("data=deepfakebench needs data.root=/path/to/datasets/rgb")
        self.root = None if root is None else Path(root).expanduser().absolute()
        self.lists = lists
        self.compression = compression
        name = "" if self.root is None else safe_name(self.root.name, str(self.root.resolve()))
        folder = crops or Path(outputs) / "faces" / f"{self.name}-{compression}-{name}"
        self.crops = Path(folder).expanduser()
        self.frames = (settings or ExtractionSettings()).frames

    @property
    def methods(self) -> list[str]:
        """The forgery methods that the lists name, or those of the faces that were prepared."""
        if self.root is None:
            return sorted(set(read_manifest(self.crops)["method"]) - {PRISTINE})
        return _methods(self._entries())

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> str:
        """Write the manifest of the pristine faces and those of `methods` (default: all); return its summary."""
        entries, root = self._entries(), self._root()
        known = _methods(entries)
        chosen = {PRISTINE, *(choose(method, known, "forgery") for method in methods or known)}
        wanted = [entry for entry in entries if entry[0]["method"] in chosen]
        skipped: Counter[str] = Counter()
        faces = []
        for video, frames in track(wanted, len(wanted), "Reading faces", "videos", progress):
            # Spread over the video; all, where there are fewer.
            count = min(self.frames, len(frames))
            for number in (index * len(frames) // count for index in range(count)):
                try:
                    faces.append(self._take(_find(root, frames[number]), str(video["video_id"]), number))
                except SourceError as error:
                    skipped[error.reason] += 1
        if not faces:
            raise DataNotFoundError(
                f"not one of the pictures of {len(entries):,} listed videos is below data.root={self.root}"
            )
        write_videos(video_table(video for video, _ in wanted), self.crops / VIDEOS)
        write_manifest(sorted(faces, key=lambda face: str(face["face_id"])), self.crops / MANIFEST)
        write_json(self.crops / ORIGIN, self._origin(methods))
        groups = read_manifest(self.crops).groupby(["split", "method"])
        lines = [f"  {split:5}  {method}: {len(rows):,} faces" for (split, method), rows in groups]
        pictures = f"Pictures skipped: {counts_in_words(skipped)}"
        return "\n".join([f"Faces: {len(faces):,}", *lines, pictures, f"Manifest: {self.crops / MANIFEST}"])

    def _take(self, path: Path, video_id: str, number: int) -> dict[str, object]:
        """Give a face a second name next to the manifest (where that cannot be, copy it), and return its row."""
        try:
            with Image.open(path) as picture:
                width, height = picture.size
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise SourceError("unreadable", str(error)) from error
        if width != height:
            raise SourceError("not square", f"{width}×{height}")
        face_id = f"{video_id}/{number:04d}"
        with replacing(self.crops / f"{face_id}.png") as temporary:
            try:
                os.link(path, temporary)
            except OSError:  # another file system
                shutil.copyfile(path, temporary)
        return {
            "face_id": face_id, "video_id": video_id, "frame": number, "side": width, "path": f"{face_id}.png",
            "box_left": 0.0, "box_top": 0.0, "box_right": float(width), "box_bottom": float(height), "crop_left": 0,
            "crop_top": 0, "frame_width": width, "frame_height": height, "probability": float("nan"), "sha256": sha256,
        }  # fmt: skip

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces that `prepare` found, found now if they were not, or were found in other lists."""
        if self.root is not None and origin_of(self.crops) not in (self._origin(None), self._origin(methods)):
            log.info("%s", self.prepare(progress=False))
        return FaceSet(self.name, self.crops, read_manifest(self.crops), self.margin)

    def _origin(self, methods: Sequence[str] | None) -> dict[str, Any]:
        """What the manifest is made of."""
        lists = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in self._files()}
        facts = {"root": str(self._root()), "compression": self.compression, "frames": self.frames, "lists": lists}
        return facts | {"methods": sorted(methods) if methods else None}

    def _root(self) -> Path:
        if self.root is None or not self.root.is_dir():
            raise DataNotFoundError(f"data.root={self.root}: there is no such folder")
        return self.root

    def _files(self) -> list[Path]:
        root = self._root()
        given = [self.lists] if isinstance(self.lists, str) else list(self.lists or [str(root)])
        files: list[Path] = []
        for path in (Path(name).expanduser() for name in given):
            files += sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise DataNotFoundError(f"{root} has no JSON in it; data.lists=FILE names DeepfakeBench's list")
        return files

    def _entries(self) -> list[Entry]:
        """Everything that the lists hold.

        A video that is in several splits, as in the lists of Celeb-DF and of DeepFakeDetection, is one of the test.
        """
        found: dict[object, Entry] = {}
        for file in self._files():
            try:
                content = json.loads(read_text(file))
                for label, splits in (pair for labels in content.values() for pair in labels.items()):
                    for split in ("test", "val", "train"):
                        for name, facts in self._of_level(file, splits.get(split, {})).items():
                            video = _video(str(label), split, str(name))
                            found.setdefault(video["video_id"], (video, [str(frame) for frame in facts["frames"]]))
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise UserError(f"{file} is no list of DeepfakeBench ({type(error).__name__}: {error})") from error
        return list(found.values())

    def _of_level(self, file: Path, videos: Mapping[str, Any]) -> Mapping[str, Any]:
        if isinstance(videos.get("frames"), list):  # facts of one video, where videos belong (in DFDC.json)
            return {}
        if all("frames" in facts for facts in videos.values()):
            return videos
        if self.compression not in videos:
            raise UserError(f"{file} has the compressions {', '.join(videos)}, not data.compression={self.compression}")
        found: Mapping[str, Any] = videos[self.compression]
        return found


def _methods(entries: Sequence[Entry]) -> list[str]:
    return sorted({str(video["method"]) for video, _ in entries} - {PRISTINE})


def _video(label: str, split: str, name: str) -> dict[str, object]:
    """A row of the table of videos."""
    real = label.lower().endswith("real")
    label = _safe(label)
    method = PRISTINE if real else label
    # Pristine videos of several data sets may have one name.
    video_id = f"{method}/{_safe(f'{label}-{name}' if real else name)}"
    target, *source = map(_safe, people_of(name))
    facts = {"method": method, "split": split, "target": target, "source": "".join(source[:1])}
    return {"video_id": video_id, "path": "", **facts}


def people_of(name: str) -> tuple[str, ...]:
    """Target and source of a video of FaceForensics++, Celeb-DF or DeepFakeDetection; other names are their own identity.

    >>> people_of("000_003"), people_of("id0_id1_0001"), people_of("01_02__walking__ABC"), people_of("aabbcc")
    (('000', '003'), ('id0', 'id1'), ('01', '02'), ('aabbcc',))
    """
    for pattern in _NAMES:
        if match := pattern.match(name):
            return tuple(filter(None, match.groups()))
    return (name,)


def _find(root: Path, name: str) -> Path:
    """A picture below a root by a path of another machine: the longest end of the path that is there."""
    parts = [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")]
    for start in range(len(parts)):
        if (path := root.joinpath(*parts[start:])).is_file():
            return path
    raise SourceError("missing", name)


def _safe(name: str) -> str:
    """A name of the list as part of a path."""
    return name if re.fullmatch(r"[\w-][\w.-]*|", name) else safe_name(name)
