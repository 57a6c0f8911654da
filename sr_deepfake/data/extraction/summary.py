"""Results of an extraction: the manifest, the list of skipped videos and frames, the closing summary."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import FileLock

from sr_deepfake.data.extraction.records import RECORD, read_record
from sr_deepfake.data.manifest import MANIFEST, Video, write_manifest
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_csv

SKIPPED = "skipped.csv"
SOURCES = "sources.csv"  # hashes of the files; none of those that an earlier version read, and of folders


@dataclass(frozen=True)
class ExtractionSummary:
    """Counts of one run's videos, and of the faces in its folder."""

    videos: int
    extracted: int  # videos that gave faces in this run
    reused: int  # videos that had given faces before
    faces: int  # of those two
    skipped: dict[str, int]  # videos by reason
    frames_skipped: dict[str, int]  # frames by reason, those of skipped videos included
    folder: Path
    manifest_faces: int  # those of other runs in the same folder included
    ambiguous: tuple[str, ...] = ()  # fakes without a mask that show faces of similar size: which one was manipulated?

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
            lines.append(f"What was skipped, one a line: {self.folder / SKIPPED}")
        return "\n".join(lines)

    __str__ = render


def assemble(out: Path, videos: Sequence[Video], settings: str, extracted: set[str]) -> ExtractionSummary:
    """Write `faces.parquet` and `skipped.csv` from all records in a folder, and sum up some videos."""
    with FileLock(out / ".manifest.lock"):
        found = [read_record(path.parent) for path in sorted(out.glob(f"*/*/{RECORD}"))]
        records = {record["video_id"]: record for record in found if record and record.get("settings") == settings}
        lost = [video.video_id for video in videos if video.video_id not in records]
        if lost:
            raise UserError(
                f"The faces of {len(lost)} videos ({lost[0]}, …) have gone from {out} since they were extracted. Is another "
                "run with other settings writing to it? Give each its own folder (data.crops=)."
            )
        in_order = [record for _, record in sorted(records.items())]
        faces = [face for record in in_order for face in record["faces"]]
        if faces:
            write_manifest(faces, out / MANIFEST)
        else:
            (out / MANIFEST).unlink(missing_ok=True)  # of other settings, whose crops are gone
        rows = [
            (record["video_id"], part["frame"], part["reason"], part["detail"])
            for record in in_order
            for part in ([{"frame": "", **record["skip"]}] if record["skip"] else []) + record["frames_skipped"]
        ]
        write_csv(out / SKIPPED, ["video_id", "frame", "reason", "detail"], rows)
        hashes = ((record["video_id"], record.get("source_sha256", "")) for record in in_order)
        write_csv(out / SOURCES, ["video_id", "sha256"], hashes)

    own = [records[video.video_id] for video in videos]
    given = [record for record in own if record["skip"] is None]
    new = sum(record["video_id"] in extracted for record in given)
    return ExtractionSummary(
        videos=len(own),
        extracted=new,
        reused=len(given) - new,
        faces=sum(len(record["faces"]) for record in given),
        skipped=dict(Counter(record["skip"]["reason"] for record in own if record["skip"])),
        frames_skipped=dict(Counter(frame["reason"] for record in own for frame in record["frames_skipped"])),
        folder=out,
        manifest_faces=len(faces),
        ambiguous=tuple(
            record["video_id"]
            for record in given
            if record["fake"] and record["several_faces"] and record["mask_size"] is None
        ),
    )


def skipped_videos(out: Path) -> set[str]:
    """The videos in a folder of faces that gave none."""
    if not (out / SKIPPED).is_file():
        return set()
    table = pd.read_csv(out / SKIPPED, dtype=str, keep_default_na=False)
    return set(table["video_id"][table["frame"] == ""])


def source_hashes(out: Path) -> dict[str, str]:
    """Hashes of the files that faces were found in, by video, where they are known."""
    if not (out / SOURCES).is_file():
        return {}
    table = pd.read_csv(out / SOURCES, dtype=str).dropna()
    return dict(zip(table["video_id"], table["sha256"], strict=True))


def counts_in_words(reasons: dict[str, int]) -> str:
    """Total and counts by reason, the most frequent first.

    >>> counts_in_words({"no face": 2, "unreadable": 3}), counts_in_words({})
    ('5 (3 unreadable, 2 no face)', 'none')
    """
    named = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda x: -x[1]))
    return f"{sum(reasons.values()):,} ({named})" if reasons else "none"
