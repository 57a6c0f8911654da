"""Scores the faces of photos and videos with stored detectors. Errors are reported per file and detector; the rest continue."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.video import is_video, read_frames
from sr_deepfake.media.face_scores import FaceScorer, FaceScores
from sr_deepfake.media.faces import Find, Picture, cut
from sr_deepfake.media.files import Job
from sr_deepfake.media.outcomes import explain
from sr_deepfake.media.photo import read_photo_file
from sr_deepfake.system.console import on_a_terminal, print_parts, track
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import printable, write_csv

log = logging.getLogger(__name__)

COLUMNS = ("input", "detector", "frames", "faces", "fake_mean", "fake_max", "fault")


@dataclass
class FileScore:
    """A detector's scores of one file."""

    path: Path
    detector: str
    frames: int = 0  # of a video, that were looked at; 1 of a photo
    scores: FaceScores = field(default_factory=FaceScores)  # of their faces, all of each frame
    fault: str = ""  # why there are none, in one line


def score_files(
    files: Sequence[Path],
    finder: Find,
    scorers: Mapping[str, FaceScorer],
    settings: ExtractionSettings,
    show: bool = True,
) -> list[FileScore]:
    """Score the faces of files."""
    scores = []
    for file in track(files, len(files), "Scoring", "files", show):
        fault, pictures, faces = "", list[Picture](), list[Picture]()
        try:
            pictures = _pictures(file, settings)
            for picture, found in zip(pictures, finder(pictures), strict=True):
                faces += [cut(picture, crop) for crop in found.crops]
        except Exception as error:  # whatever a file makes a codec do, the others are scored
            fault = _fault(file, error)
        for name, scorer in scorers.items():
            row = FileScore(file, name, len(pictures), fault=fault)
            scores.append(row)
            if fault:
                continue
            scorer.reset()
            try:
                scorer.add(faces)
                row.scores = scorer.finish()
            except Exception as error:  # of somebody's network: any class
                row.fault = _fault(file, error)
    return scores


def _fault(path: Path, error: Exception) -> str:
    log.debug("%s", printable(str(path)), exc_info=True)
    return explain(error, Job(path, path))


def _pictures(path: Path, settings: ExtractionSettings) -> list[Picture]:
    if not is_video(path):
        return [read_photo_file(path).rgb()]
    try:
        return read_frames(path, settings.frames, 1, settings.seed).images
    except SourceError as error:
        raise UserError(f"{printable(str(path))}: {error.reason} ({printable(error.detail)})") from None


def print_scores(scores: Sequence[FileScore]) -> None:
    """Print a table, one row a file and detector."""
    terminal = on_a_terminal()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, show_edge=False, pad_edge=False)
    for index, name in enumerate(("File", "Detector", "Frames", "Faces", "Fake (mean)", "Fake (max)")):
        table.add_column(name, justify="left" if index < 2 else "right", no_wrap=not terminal)
    for row in scores:
        values = ["" if value is None else f"{value:.3f}" for value in (row.scores.clean, row.scores.clean_max)]
        cells = [printable(str(row.path)), row.detector, str(row.frames), str(row.scores.faces), *values]
        table.add_row(*(Text(cell) for cell in cells))
    print_parts(table)


def write_scores(path: Path, scores: Sequence[FileScore]) -> None:
    """Write one row a file and detector as CSV."""
    rows = [
        (each.path, each.detector, each.frames, each.scores.faces, each.scores.clean, each.scores.clean_max, each.fault)
        for each in scores
    ]
    write_csv(path, COLUMNS, rows)


def check_faults(scores: Sequence[FileScore]) -> None:
    """List the files that could not be scored."""
    faults = list(dict.fromkeys(row.fault for row in scores if row.fault))
    if faults:
        raise UserError("\n  ".join([f"{len(faults)} file(s) could not be scored:", *faults]))
