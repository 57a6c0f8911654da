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
from dataclasses import dataclass
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
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import encoding_of, replacing, safe_name, write_json

log = logging.getLogger(__name__)

ORIGIN = "data_set.json"  # next to the manifest: what it was made of
# Names of videos that tell people, of FaceForensics++, Celeb-DF and DeepFakeDetection.
_NAMES = [
    re.compile(each) for each in (r"(\d{3})(?:_(\d{3}))?$", r"(id\d+)(?:_(id\d+))?_\d+$", r"(\d\d)(?:_(\d\d))?__")
]
_SKIPPED = ("missing", "not square", "unreadable")


@dataclass(frozen=True)
class BenchSummary:
    """Summary of a preparation.

    Attributes:
        folder: of the manifest.
        faces: number of faces by split and method.
        skipped: number of pictures that were left out, by reason.
    """

    folder: Path
    faces: Mapping[tuple[str, str], int]
    skipped: Mapping[str, int]

    def render(self) -> str:
        """The summary as a few lines of text."""
        lines = [f"  {split:5}  {method}: {count:,} faces" for (split, method), count in self.faces.items()]
        total = sum(self.faces.values())
        skipped = f"Pictures skipped: {counts_in_words(dict(self.skipped))}"
        return "\n".join([f"Faces: {total:,}", *lines, skipped, f"Manifest: {self.folder / MANIFEST}"])


@dataclass(frozen=True)
class _Entry:
    """A video of a list."""

    label: str
    split: str
    video: str
    frames: Sequence[str]

    @property
    def method(self) -> str:
        return PRISTINE if is_real(self.label) else self.label

    @property
    def video_id(self) -> str:
        # Pristine videos of several data sets may have one name.
        return f"{self.method}/{_safe(f'{self.label}-{self.video}' if is_real(self.label) else self.video)}"


class DeepfakeBench:
    """Faces that DeepfakeBench prepared.

    Args:
        root: folder that the pictures are in, at any depth that their paths tell.
        lists: its JSON file, or several, or a folder of them; None: those in the root.
        compression: level that is taken where a list has several.
        crops: where the manifest is kept; None: in a folder for each root, below `<outputs>/faces`.
        outputs: where every run writes.
        settings: `frames` a video are taken.
        workers: not used: no face is looked for.
        device: not used.
    """

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
        workers: int | None = None,
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
        return sorted({entry.method for entry in self._entries()} - {PRISTINE})

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> BenchSummary:
        """Write the manifest of the pristine faces and those of `methods` (default: all)."""
        entries = self._entries()
        known = sorted({entry.method for entry in entries} - {PRISTINE})
        chosen = {PRISTINE, *(choose(method, known, "forgery") for method in methods or known)}
        skipped: Counter[str] = Counter()
        faces: dict[str, dict[str, object]] = {}
        finder = _Finder(self._root())
        wanted = [entry for entry in entries if entry.method in chosen]
        for entry in track(wanted, len(wanted), "Reading faces", "videos", progress):
            for number in _evenly(len(entry.frames), self.frames):
                row = _row(finder, entry, number)
                if isinstance(row, str):
                    skipped[row] += 1
                elif row["face_id"] not in faces:
                    faces[str(row["face_id"])] = row | {"path": self._keep(row)}
        if not faces:
            raise DataNotFoundError(
                f"not one of the pictures of {len(entries):,} listed videos is below data.root={self.root}"
            )
        table = video_table(_row_of_video(entry) for entry in wanted)
        write_videos(table.drop_duplicates("video_id"), self.crops / VIDEOS)
        write_manifest([faces[name] for name in sorted(faces)], self.crops / MANIFEST)
        write_json(self.crops / ORIGIN, self._origin(methods))
        rows = read_manifest(self.crops)
        counts = {(str(split), str(method)): len(found) for (split, method), found in rows.groupby(["split", "method"])}
        return BenchSummary(self.crops, counts, skipped)

    def _keep(self, row: Mapping[str, object]) -> str:
        """Put a face next to the manifest (as a second name of the file, where that can be), and return its path there."""
        name = f"{row['face_id']}.png"
        kept = self.crops / name
        with replacing(kept) as temporary:
            try:
                os.link(str(row["path"]), temporary)
            except OSError:  # another file system
                shutil.copyfile(str(row["path"]), temporary)
        return name

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces that `prepare` found, found now if they were not, or were found in other lists."""
        if self.root is not None and self._stored() not in (self._origin(None), self._origin(methods)):
            log.info("%s", self.prepare(progress=False).render())
        return FaceSet(self.name, self.crops, read_manifest(self.crops), self.margin)

    def _origin(self, methods: Sequence[str] | None) -> dict[str, Any]:
        """What the manifest is made of."""
        lists = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in self._files()}
        facts = {"root": str(self._root()), "compression": self.compression, "frames": self.frames, "lists": lists}
        return facts | {"methods": sorted(methods) if methods else None}

    def _stored(self) -> Any:
        try:
            return json.loads((self.crops / ORIGIN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _root(self) -> Path:
        if self.root is None or not self.root.is_dir():
            raise DataNotFoundError(f"data.root={self.root}: there is no such folder")
        return self.root

    def _files(self) -> list[Path]:
        root = self._root()
        given = [self.lists] if isinstance(self.lists, str) else list(self.lists or [str(root)])
        files: list[Path] = []
        for name in given:
            path = Path(name).expanduser()
            files += sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise DataNotFoundError(f"{root} has no JSON in it; data.lists=FILE names DeepfakeBench's list")
        return files

    def _entries(self) -> list[_Entry]:
        """Everything that the lists hold.

        A video that is in several splits, as in the lists of Celeb-DF and of DeepFakeDetection, is one of the test.
        """
        found: dict[str, _Entry] = {}
        for file in self._files():
            try:
                content = json.loads(file.read_text(encoding=encoding_of(file)))
                for label, splits in (pair for labels in content.values() for pair in labels.items()):
                    for split in ("test", "val", "train"):
                        for name, facts in self._of_level(file, splits.get(split, {})).items():
                            frames = [str(frame) for frame in facts["frames"]]
                            entry = _Entry(_safe(str(label)), split, str(name), frames)
                            found.setdefault(entry.video_id, entry)
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


def is_real(label: str) -> bool:
    """Whether a label stands for pristine faces.

    >>> is_real("FF-real"), is_real("DFDC_Real"), is_real("FF-DF")
    (True, True, False)
    """
    return label.lower().endswith("real")


def people_of(name: str) -> tuple[str, ...]:
    """Target and source of a video of FaceForensics++, Celeb-DF or DeepFakeDetection; other names are their own identity.

    >>> people_of("000_003"), people_of("id0_id1_0001"), people_of("01_02__walking__ABC"), people_of("aabbcc")
    (('000', '003'), ('id0', 'id1'), ('01', '02'), ('aabbcc',))
    """
    for pattern in _NAMES:
        if match := pattern.match(name):
            return tuple(filter(None, match.groups()))
    return (name,)


def _row_of_video(entry: _Entry) -> dict[str, object]:
    target, *source = map(_safe, people_of(entry.video))
    facts = {"method": entry.method, "split": entry.split, "target": target, "source": "".join(source[:1])}
    return {"video_id": entry.video_id, "path": "", **facts}


class _Finder:
    """Finds pictures below a root by paths of another machine: the longest end of a path that is there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped = 0  # parts at the beginning that were not there, the last time

    def find(self, name: str) -> Path | None:
        parts = [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")]
        for start in [self.skipped, *range(len(parts))]:
            path = self.root.joinpath(*parts[start:])
            if start < len(parts) and path.is_file():
                self.skipped = start
                return path
        return None


def _evenly(count: int, wanted: int) -> list[int]:
    """Numbers of frames, spread over a video.

    >>> _evenly(32, 4), _evenly(3, 10)
    ([0, 8, 16, 24], [0, 1, 2])
    """
    return [place * count // wanted for place in range(wanted)] if count > wanted else list(range(count))


def _safe(name: str) -> str:
    """A name of the list as part of a path."""
    return name if re.fullmatch(r"[\w-][\w.-]*|", name) else safe_name(name)


def _row(finder: _Finder, entry: _Entry, number: int) -> dict[str, object] | str:
    """The manifest's row of a face, or why there is none."""
    path = finder.find(entry.frames[number])
    if path is None:
        return _SKIPPED[0]
    try:
        with Image.open(path) as picture:
            width, height = picture.size
        content = path.read_bytes()
    except (OSError, ValueError, Image.DecompressionBombError):
        return _SKIPPED[2]
    if width != height:
        return _SKIPPED[1]
    return {
        "face_id": f"{entry.video_id}/{number:04d}", "video_id": entry.video_id, "frame": number, "side": width,
        "path": str(path), "box_left": 0.0, "box_top": 0.0, "box_right": float(width), "box_bottom": float(height),
        "crop_left": 0, "crop_top": 0, "frame_width": width, "frame_height": height, "probability": float("nan"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
