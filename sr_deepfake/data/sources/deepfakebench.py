"""Faces that DeepfakeBench prepared: aligned crops, and a JSON for each data set.

    {DATASET: {LABEL: {"train"|"val"|"test": {[COMPRESSION:] {VIDEO: {"label": LABEL, "frames": [PATH, …]}}}}}}

Labels that end in `real` are pristine faces; any other is a forgery method of that name. Paths may be those of another
machine, or hold backslashes: they are looked for below the root. Faces are taken as they are, frames evenly, and get
a second name beside the manifest (a copy on another file system).
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
from sr_deepfake.data.manifest import MANIFEST, PRISTINE, SPLITS, FaceSet, read_manifest, write_manifest
from sr_deepfake.data.sources.layouts import not_found
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import encoding_of, replacing, safe_name, write_json

log = logging.getLogger(__name__)

_MADE = "deepfakebench.json"  # beside the manifest
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


class DeepfakeBench:
    """Faces that DeepfakeBench prepared.

    Args:
        root: folder that the pictures are in, at any depth that their paths tell.
        lists: its JSON file, or several, or a folder of them; None: those in the root.
        compression: level that is taken where a list has several.
        crops: where the manifest is kept.
        settings: `frames` a video are taken.
        workers: not used: nothing is searched.
        device: not used.
    """

    name = "deepfakebench"

    def __init__(
        self,
        root: str | None,
        lists: str | Sequence[str] | None = None,
        compression: str = "c23",
        crops: str = "outputs/faces/deepfakebench",
        settings: ExtractionSettings | None = None,
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.root = root
        self.lists = lists
        self.compression = compression
        self.crops = Path(crops).expanduser()
        self.frames = (settings or ExtractionSettings()).frames

    @property
    def methods(self) -> list[str]:
        """The forgery methods that the lists name, or those of the faces that were prepared."""
        if self.root is None and (self.crops / MANIFEST).is_file():
            rows = read_manifest(self.crops / MANIFEST)
            return sorted(set(rows["method"]) - {PRISTINE})
        found = {label for label, *_ in self._videos(self._root()) if not is_real(label)}
        return sorted(found)

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> BenchSummary:
        """Write the manifest of the pristine faces and those of `methods` (default: all)."""
        root = self._root()
        known = self.methods
        for method in methods or ():
            choose(method, known, "forgery method")
        videos = self._videos(root)
        skipped: Counter[str] = Counter()
        rows: dict[str, dict[str, object]] = {}
        finder = _Finder(root)
        for label, split, video, frames in track(videos, len(videos), "Reading faces", "videos", progress):
            method = PRISTINE if is_real(label) else label
            if method != PRISTINE and methods and method not in methods:
                continue
            for number in _evenly(len(frames), self.frames):
                row = _row(
                    finder,
                    method,
                    split,
                    f"{label}-{video}" if method == PRISTINE else video,
                    number,
                    frames[number],
                )
                if isinstance(row, str):
                    skipped[row] += 1
                elif row["face_id"] not in rows:
                    rows[str(row["face_id"])] = row | {"path": self._keep(row)}
        if not rows:
            raise not_found(
                root, self.name, f"not one of the pictures of {len(videos):,} listed videos is there"
            )
        ordered = sorted(
            rows.values(), key=lambda row: (SPLITS.index(str(row["split"])), row["label"], row["face_id"])
        )
        write_manifest(ordered, self.crops / MANIFEST)
        write_json(self.crops / _MADE, self._made(methods))
        return BenchSummary(
            self.crops, Counter((str(row["split"]), str(row["method"])) for row in ordered), skipped
        )

    def _keep(self, row: Mapping[str, object]) -> str:
        """Put a face beside the manifest (as a second name of the file, where that can be), and return its place."""
        place = f"{row['face_id']}.png"
        kept = self.crops / place
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as beside:
            try:
                os.link(str(row["path"]), beside)
            except OSError:  # another file system
                shutil.copyfile(str(row["path"]), beside)
        return place

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces that `prepare` found, found now if they are not there, or were found in other lists."""
        if self.root is not None and self._stored() not in (self._made(None), self._made(methods)):
            log.info("%s", self.prepare(progress=False).render())
        return FaceSet(self.name, self.crops, read_manifest(self.crops / MANIFEST))

    def _made(self, methods: Sequence[str] | None) -> dict[str, Any]:
        """What the manifest is made of."""
        root = self._root()
        lists = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in self._files(root)}
        facts = {"root": str(root), "compression": self.compression, "frames": self.frames, "lists": lists}
        return facts | {"methods": sorted(methods) if methods else None}

    def _stored(self) -> Any:
        try:
            return json.loads((self.crops / _MADE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _root(self) -> Path:
        if self.root is None:
            raise UserError(
                "data=deepfakebench needs to know where the faces are: data.root=/path/to/datasets/rgb"
            )
        root = Path(self.root).expanduser().absolute()
        if not root.is_dir():
            raise not_found(root, self.name, "the folder does not exist")
        return root

    def _files(self, root: Path) -> list[Path]:
        given = [self.lists] if isinstance(self.lists, str) else list(self.lists or [str(root)])
        files: list[Path] = []
        for name in given:
            path = Path(name).expanduser()
            files += sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            raise not_found(root, self.name, "there is no JSON in it (data.lists=FILE names it)")
        return files

    def _videos(self, root: Path) -> list[tuple[str, str, str, list[str]]]:
        """Label, split, video and frames of everything that the lists hold.

        A video that stands in several splits, as in the lists of Celeb-DF and of DeepFakeDetection, is one of the test.
        """
        found: dict[tuple[str, str], tuple[str, list[str]]] = {}
        for file in self._files(root):
            try:
                content = json.loads(file.read_text(encoding=encoding_of(file)))
                for label, splits in (pair for labels in content.values() for pair in labels.items()):
                    for split in ("test", "val", "train"):
                        for name, facts in self._of_level(file, splits.get(split, {})).items():
                            frames = [str(frame) for frame in facts["frames"]]
                            found.setdefault((_safe(str(label)), str(name)), (split, frames))
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                raise UserError(
                    f"{file} is no list of DeepfakeBench ({type(error).__name__}: {error})"
                ) from error
        return [(label, split, name, frames) for (label, name), (split, frames) in found.items()]

    def _of_level(self, file: Path, videos: Mapping[str, Any]) -> Mapping[str, Any]:
        if isinstance(videos.get("frames"), list):  # facts of one video, where videos belong (in DFDC.json)
            return {}
        if all("frames" in facts for facts in videos.values()):
            return videos
        if self.compression not in videos:
            raise UserError(
                f"{file} has the compressions {', '.join(videos)}, not data.compression={self.compression}"
            )
        found: Mapping[str, Any] = videos[self.compression]
        return found


def is_real(label: str) -> bool:
    """Whether a label stands for pristine faces.

    >>> is_real("FF-real"), is_real("DFDC_Real"), is_real("FF-DF")
    (True, True, False)
    """
    return label.lower().endswith("real")


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


def _row(
    finder: _Finder, method: str, split: str, video: str, number: int, name: str
) -> dict[str, object] | str:
    """The manifest's row of a face, or why there is none."""
    path = finder.find(name)
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
    video_id = f"{method}/{_safe(video)}"
    target, _, source = video.partition("_")
    return {
        "face_id": f"{video_id}/{number:04d}", "video_id": video_id, "method": method, "label": int(method != PRISTINE),
        "split": split, "target": _safe(target), "source": _safe(source), "frame": number,
        "side": width, "path": str(path), "box_left": 0.0, "box_top": 0.0, "box_right": float(width),
        "box_bottom": float(height), "crop_left": 0, "crop_top": 0, "frame_width": width, "frame_height": height,
        "probability": float("nan"), "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
