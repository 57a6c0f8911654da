"""Results of an extraction: the manifest, the list of skipped videos and frames, the closing summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from sr_deepfake.data.extraction.records import PARTIAL, RECORD_NAME, Record, read_record
from sr_deepfake.data.manifest import FORGERY_METHODS, MANIFEST, PRISTINE, SPLITS, Video, write_manifest
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_csv

SKIPPED_NAME = "skipped.csv"
_METHOD_ORDER = {name: i for i, name in enumerate((PRISTINE, *FORGERY_METHODS))}


class ExtractionError(UserError, RuntimeError):
    """An extraction gave nothing, or something that does not fit what is already in its folder."""


class OutputFolderError(UserError, OSError):
    """The output folder cannot be written to."""


@dataclass(frozen=True)
class ExtractionSummary:
    """Counts of one run's videos.

    Attributes:
        videos: how many there were.
        extracted: how many gave faces in this run.
        reused: how many had given faces before.
        faces: of those two.
        skipped: number of skipped videos by reason.
        frames_skipped: number of skipped frames by reason, those of skipped videos included.
        folder: where `faces.parquet`, `skipped.csv` and the crops are.
        manifest_faces: faces in the manifest, those of other runs in the same folder included.
        ambiguous: videos of fakes without a mask that show faces of similar size: which was manipulated is not known.
    """

    videos: int
    extracted: int
    reused: int
    faces: int
    skipped: dict[str, int]
    frames_skipped: dict[str, int]
    folder: Path
    manifest_faces: int
    ambiguous: tuple[str, ...] = ()

    def render(self) -> str:
        """The summary as a few lines of text."""
        lines = [
            f"Faces: {self.faces:,} from {self.extracted + self.reused:,} of {self.videos:,} videos "
            f"({self.extracted:,} extracted now, {self.reused:,} reused)",
            f"Videos skipped: {counts_in_words(self.skipped)}",
            f"Frames skipped: {counts_in_words(self.frames_skipped)}",
            f"Manifest: {self.folder / MANIFEST} ({self.manifest_faces:,} faces in all)",
        ]
        if self.ambiguous:
            some = ", ".join(self.ambiguous[:3]) + (", …" if len(self.ambiguous) > 3 else "")
            lines.append(
                f"Fakes with several faces of similar size: {len(self.ambiguous):,} videos ({some}). The largest "
                "face was taken, which need not be the manipulated one. The masks of FaceForensics++ tell which it is, "
                "in manipulated_sequences/<method>/masks/videos; with them, run this again."
            )
        if self.skipped or self.frames_skipped:
            lines.append(f"What was skipped, one a line: {self.folder / SKIPPED_NAME}")
        return "\n".join(lines)

    __str__ = render


def assemble(
    out: Path,
    videos: Sequence[Video],
    settings: str,
    extracted: set[str],
    only: Sequence[Video] | None = None,
    disjoint: bool = True,
) -> ExtractionSummary:
    """Write `faces.parquet` and `skipped.csv` from all records in a folder, and sum up some videos.

    Args:
        out: the output folder.
        videos: those of this run.
        settings: fingerprint; records of other settings are left out.
        extracted: ids of the videos that this run worked on.
        disjoint: nobody may be in two splits.
        only: records of other videos than these, or of another split, are left out; None: none are.

    Raises:
        ExtractionError: when a video of this run has no record, or an identity is in two splits.
    """
    with FileLock(out / PARTIAL / "manifest.lock"):
        records = {record["video"]["video_id"]: record for record in _records(out, settings)}
        if only is not None:
            known = {video.video_id: video for video in only}
            records = {name: record for name, record in records.items() if _is_of(record, known.get(name))}
        lost = [video.video_id for video in videos if video.video_id not in records]
        if lost:
            raise ExtractionError(
                f"The faces of {len(lost)} videos ({lost[0]}, …) have gone from {out} since they "
                "were extracted. Is another run with other settings writing to it? Give each its own folder."
            )
        if disjoint:
            _check_splits(out, list(records.values()))
        faces = [face for record in records.values() for face in record["faces"]]
        faces.sort(key=lambda face: (*_order(face), face["frame"]))
        if faces:
            write_manifest(faces, out / MANIFEST)
        _write_skipped(list(records.values()), out / SKIPPED_NAME)

    own = [records[video.video_id] for video in videos]
    given = [record for record in own if record["skip"] is None]
    new = sum(record["video"]["video_id"] in extracted for record in given)
    return ExtractionSummary(
        videos=len(own),
        extracted=new,
        reused=len(given) - new,
        faces=sum(len(record["faces"]) for record in given),
        skipped=dict(Counter(record["skip"]["reason"] for record in own if record["skip"] is not None)),
        frames_skipped=dict(Counter(frame["reason"] for record in own for frame in record["frames_skipped"])),
        folder=out,
        manifest_faces=len(faces),
        ambiguous=tuple(
            record["video"]["video_id"]
            for record in given
            if record["video"]["label"] and record["several_faces"] and record["mask_size"] is None
        ),
    )


def _records(out: Path, settings: str) -> list[Record]:
    paths = [path for path in out.glob(f"*/*/{RECORD_NAME}") if path.parent.parent.name != PARTIAL]
    records = (read_record(path.parent) for path in sorted(paths))
    return [record for record in records if record is not None and record.get("settings") == settings]


def _is_of(record: Record, video: Video | None) -> bool:
    return video is not None and all(getattr(video, name) == fact for name, fact in record["video"].items())


def _order(row: Record) -> tuple[int, int, str, str]:
    method = row["method"]
    return SPLITS.index(row["split"]), _METHOD_ORDER.get(method, len(_METHOD_ORDER)), method, row["video_id"]


def _check_splits(out: Path, records: list[Record]) -> None:
    split_of: dict[str, str] = {}
    for video in (record["video"] for record in records):
        for identity in filter(None, (video["target"], video["source"])):
            if split_of.setdefault(identity, video["split"]) != video["split"]:
                raise ExtractionError(
                    f"{out} holds faces extracted with other split files: identity {identity} is in both "
                    f"{split_of[identity]} and {video['split']}. Use another output folder, "
                    "or delete this one."
                )


def _write_skipped(records: list[Record], path: Path) -> None:
    rows = [
        (record["video"]["video_id"], record["video"]["split"], part["frame"], part["reason"], part["detail"])
        for record in sorted(records, key=lambda record: _order(record["video"]))
        for part in (
            *([] if record["skip"] is None else [{"frame": "", **record["skip"]}]),
            *record["frames_skipped"],
        )
    ]
    write_csv(path, ["video_id", "split", "frame", "reason", "detail"], rows)


def counts_in_words(reasons: dict[str, int]) -> str:
    """Total and counts by reason, the most frequent first.

    >>> counts_in_words({"no face": 2, "unreadable": 3}), counts_in_words({})
    ('5 (3 unreadable, 2 no face)', 'none')
    """
    named = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda x: -x[1]))
    return f"{sum(reasons.values()):,} ({named})" if reasons else "none"
