"""A user's folder as a source of faces: photos, face crops or videos in `real/` and `fake/`."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from filelock import FileLock

from sr_deepfake.data.extraction.pipeline import ExtractionSummary, extract_faces
from sr_deepfake.data.extraction.records import PARTIAL
from sr_deepfake.data.extraction.settings import ExtractionSettings, check_settings
from sr_deepfake.data.extraction.summary import SKIPPED_NAME, ExtractionError, counts_in_words
from sr_deepfake.data.leaks import POLICIES, Leaks, look_for_leaks
from sr_deepfake.data.manifest import MANIFEST, SCHEMA, SPLITS, FaceSet, read_manifest
from sr_deepfake.data.sources.folder_files import FAKE, OwnFiles, SplitRule, list_files
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import printable, safe_name, write_csv
from sr_deepfake.system.photos import is_photo

log = logging.getLogger(__name__)

FILES_NAME = "files.csv"
_CLASSES = ("real", "fake")


@dataclass(frozen=True)
class FolderSummary:
    """Summary of a folder's preparation.

    Attributes:
        files: the files.
        rule: how they were split, if the folder does not say.
        extraction: what the extraction amounts to.
        faces: number of faces by split and label.
        leaks: between the splits.
    """

    files: OwnFiles
    rule: SplitRule
    extraction: ExtractionSummary
    faces: dict[tuple[str, int], int]
    leaks: Leaks

    @property
    def folder(self) -> Path:
        """Folder of the manifest and the crops."""
        return self.extraction.folder

    def render(self) -> str:
        """The summary as a few lines of text."""
        videos, done = self.files.videos, self.extraction
        photos = sum(is_photo(video.path) for video in videos)
        counts = Counter((video.split, video.label) for video in videos)
        lines = [
            f"Files: {photos:,} photos and {len(videos) - photos:,} videos in {printable(str(self.files.root))}"
        ]
        if self.files.ignored:
            kinds = ", ".join(f"{n:,} {printable(kind)}" for kind, n in sorted(self.files.ignored.items()))
            lines.append(f"Left out, of other kinds: {kinds}")
        lines.append(f"Split: {self._split()}")
        for split in SPLITS:
            if counts[split, 0] or counts[split, 1]:
                parts = [
                    f"{name} {counts[split, label]:,} files, {self.faces.get((split, label), 0):,} faces"
                    for label, name in enumerate(_CLASSES)
                ]
                lines.append(f"  {split:5}  {';  '.join(parts)}")
        lines.append(
            f"Faces: {done.faces:,} from {done.extracted + done.reused:,} of {done.videos:,} files "
            f"({done.extracted:,} looked at now, {done.reused:,} reused)"
        )
        lines.append(f"Files skipped: {counts_in_words(done.skipped)}")
        if done.skipped or done.frames_skipped:
            lines.append(f"What was skipped, one a line: {self.folder / SKIPPED_NAME}")
        lines += [self.leaks.render(), f"What each file became: {self.folder / FILES_NAME}"]
        lines.append(f"Manifest: {self.folder / MANIFEST} ({done.manifest_faces:,} faces in all)")
        return "\n".join(lines)

    def _split(self) -> str:
        if self.files.given and {video.split for video in self.files.videos} == set(self.files.given):
            return "given by the folder"
        told = "sub-folders or files" if self.rule.identity is None else "identities"
        shares = " / ".join(f"{fraction:g}" for fraction in self.rule.fractions)
        what = (
            f"val taken from train, by names of {told}"
            if self.files.given
            else f"by names of {told}, {shares}"
        )
        return f"{what}, data.split_seed={self.rule.seed}"

    __str__ = render


class Folder:
    """Photos, face crops and videos of the user, in the layouts of `folder_files`.

    Args:
        root: the folder; None: only faces that were found before are used, from `crops`.
        crop: find faces, one a photo. False: take the middle of each picture, the largest square whose side is a
            multiple of `settings.multiple`, not resampled.
        identity: regular expression, see `SplitRule`.
        fractions: of train, val and test.
        split_seed: of the split.
        leaks: what to do about pictures that are in two splits: "warn", "error", or "drop": leave the copies in train
            (those in val, of pictures in test) out of the faces.
        crops: where the faces and the manifest are kept; None: in a folder of its own below `<outputs>/faces`.
        outputs: where every run writes.
        settings: of the face extraction; None: the defaults.
        workers: processes that find faces; None: one a core.
        device: what finds faces, "auto", "cpu" or "gpu".

    Raises:
        UserError: an option is not understood.
    """

    name = "folder"
    methods = (FAKE,)

    def __init__(
        self,
        root: str | None,
        settings: ExtractionSettings | None = None,
        crop: bool = True,
        identity: str | None = None,
        fractions: Sequence[float] = (0.7, 0.15, 0.15),
        split_seed: int = 0,
        leaks: str = "warn",
        crops: str | None = None,
        outputs: str = "outputs",
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        if root is None and crops is None:
            raise UserError("data=folder needs to know which: data.root=/path/to/your/folder")
        # Absolute, so that no name of a file is taken for an option or a protocol.
        self.root = None if root is None else Path(root).expanduser().absolute()
        self.rule = SplitRule(identity, fractions, split_seed)
        self.leaks = choose(leaks, POLICIES, "data.leaks")
        self.settings = replace(settings or ExtractionSettings(), crop=crop, dataset=self.name)
        self.workers = workers
        self.device = device
        if crops is not None:
            self.crops = Path(crops).expanduser()
        else:
            resolved = Path(str(self.root)).resolve()
            kind = f"{'' if crop else '-whole'}{self.settings.suffix}"
            name = f"folder-{safe_name(resolved.name, str(resolved))}{kind}"
            self.crops = Path(outputs).expanduser() / "faces" / name

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> FolderSummary:
        """Find the faces of the files that are not done yet, and look for leaks.

        The manifest holds the faces of the files that are in the folder now.

        Raises:
            UserError: a split is without faces of a class, or pictures leak and the policy is "error".
        """
        _check_methods(methods)
        if self.root is None:
            raise UserError("data=folder needs to know which: data.root=/path/to/your/folder")
        files = list_files(self.root, self.rule)
        extraction = extract_faces(
            files.videos,
            self.crops,
            self.settings,
            self.workers,
            shard,
            progress,
            own=True,
            device=self.device,
        )
        manifest = self.crops / MANIFEST
        with FileLock(
            self.crops / PARTIAL / "lists.lock"
        ):  # of shards that end together, the last lists all faces
            rows = (
                read_manifest(manifest) if extraction.manifest_faces else pd.DataFrame(columns=SCHEMA.names)
            )
            self._write_files(files, rows)
            faces = Counter(zip(rows["split"], (int(label) for label in rows["label"]), strict=True))
            if shard[1] == 1:
                self._require_faces(files, faces)
            leaks = look_for_leaks(rows, self.crops, files, by_identity=self.rule.identity is not None)
        leaks.act(self.leaks)
        return FolderSummary(files, self.rule, extraction, dict(faces), leaks)

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces of the folder, found now if they are not there; less what leaks, with data.leaks=drop."""
        _check_methods(methods)
        manifest = self.crops / MANIFEST
        if (self.root is None or not self.root.is_dir()) and manifest.is_file():
            check_settings(self.crops, self.settings)
            log.info("The folder is not there; its faces in %s are used as they are.", self.crops)
            rows = read_manifest(manifest)
            leaks = look_for_leaks(rows, self.crops, files=None, by_identity=False)
            leaks.act(self.leaks)
        else:
            summary = self.prepare(methods)
            rows, leaks = read_manifest(manifest), summary.leaks
            if summary.extraction.extracted:
                log.info("%s", summary.render())
        if self.leaks == "drop":
            rows = rows[~rows["video_id"].isin(leaks.dropped)].reset_index(drop=True)
        return FaceSet(self.name, self.crops, rows)

    def _require_faces(self, files: OwnFiles, faces: Counter[tuple[str, int]]) -> None:
        for (split, label), count in Counter((video.split, video.label) for video in files.videos).items():
            if not faces[split, label]:
                video = next(video for video in files.videos if (video.split, video.label) == (split, label))
                raise ExtractionError(
                    f"not one face came from the {count:,} {_CLASSES[label]} files of the {split} split (the first is "
                    f"{printable(str(video.path))}); {self.crops / SKIPPED_NAME} says why. Mend or replace them; "
                    "data.crop=false takes pictures as they are"
                )

    def _write_files(self, files: OwnFiles, rows: pd.DataFrame) -> None:
        faces = Counter(rows["video_id"])
        listed = []
        for video, identities in zip(files.videos, files.identities, strict=True):
            people = " ".join(printable(identity) for identity in identities)
            own = (files.name(video), _CLASSES[video.label], video.split, people, video.video_id)
            listed.append((*own, faces[video.video_id]))
        columns = ["file", "class", "split", "identities", "video_id", "faces"]
        write_csv(self.crops / FILES_NAME, columns, listed)


def _check_methods(methods: Sequence[str] | None) -> None:
    others = [method for method in methods or [] if method != FAKE]
    if others:
        raise UserError(f"data=folder knows one forgery method, fake, and not {others[0]}: give forgery=fake")
