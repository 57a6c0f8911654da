"""Outcomes of attacking files: a line each, a CSV table, a summary."""

import csv
import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

from sr_deepfake.media.face_scores import FaceScores
from sr_deepfake.media.files import Job
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable, write_csv

_SUMMARY = {"no face": "without a face", "exists": "exist already (overwrite=true replaces them)", "failed": "failed"}
COLUMNS = (
    "input", "output", "status", "frames", "faces", "too_small", "fake_clean", "fake_clean_max", "fake_attacked",
    "fake_attacked_max", "ssim", "psnr", "fault",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """Outcome of one file."""

    job: Job
    status: str  # "attacked", "no face", "exists" (nothing was done) or "failed"
    faces: int = 0  # that were attacked; of a video, in all frames together
    too_small: int = 0  # faces that were left alone
    frames: int = 0  # of a video; 1 of a photo
    scores: FaceScores = field(default_factory=FaceScores)
    fault: str = ""  # what went wrong, in one line; also of a file that was attacked as far as it can be read
    left_out: Sequence[str] = ()  # what the result lacks, such as "data" (a stream's kind) or "cover picture"


def explain(error: Exception, job: Job) -> str:
    """Describe an error in one line that names the file."""
    source, target = printable(str(job.source)), printable(str(job.target))
    if isinstance(error, UserError):
        text = printable(str(error))
        return text if source in text or target in text else f"{source}: {text}"
    if isinstance(error, OSError) and error.strerror:
        # Read errors are already UserErrors, so an OSError here comes from writing.
        return f"{target}: {error.strerror}"
    return f"{source}: {type(error).__name__}: {printable(str(error))}".removesuffix(": ")


def describe(outcome: Outcome) -> str:
    """One line about a file."""
    source, scores = printable(str(outcome.job.source)), outcome.scores
    if outcome.status == "failed":
        return f"error: {outcome.fault}"
    if outcome.status == "exists":
        return f"{source}: {printable(str(outcome.job.target))} exists (overwrite=true replaces it)"
    frames = f" in {outcome.frames} frames" if outcome.frames > 1 else ""
    parts = [(_count(outcome.faces, "face") if outcome.faces else "no face") + frames]
    if outcome.too_small:
        parts.append(f"{outcome.too_small} too small, left alone")
    if scores.clean is not None and scores.attacked is not None:
        parts.append(f"fake {scores.clean:.3f} -> {scores.attacked:.3f}")
    if scores.ssim is not None:
        parts.append(f"SSIM {scores.ssim:.3f}, PSNR {scores.psnr:.1f} dB")
    if outcome.left_out:
        parts.append(f"left out: {', '.join(outcome.left_out)}")
    if outcome.fault:
        parts.append(f"error: {outcome.fault}")
    return f"{source}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def check_report(path: Path, jobs: Sequence[Job] = ()) -> None:
    """Refuse to replace a file that is no report of this program, or that is an input or a result of some jobs."""
    if os.path.realpath(path) in {os.path.realpath(file) for job in jobs for file in (job.source, job.target)}:
        raise UserError(f"the report {printable(str(path))} is an input or a result; name another with report=FILE")
    if not path.exists():
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline().strip()
    except OSError as error:
        raise UserError(f"{printable(str(path))}: {error.strerror}; name another with report=FILE") from None
    if first != ",".join(COLUMNS):
        raise UserError(
            f"{printable(str(path))} exists and was not written by this program; name another with report=FILE"
        )


def write_report(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one row a file as CSV; an earlier report's rows stay for other outputs, and for those that exist already."""
    rows = _rows(path)
    for each in outcomes:
        counts, output = (each.frames, each.faces, each.too_small), os.path.abspath(each.job.target)
        if each.status != "exists" or output not in rows:
            scores = astuple(each.scores)[1:]
            rows[output] = (each.job.source, each.job.target, each.status, *counts, *scores, each.fault)
    write_csv(path, COLUMNS, rows.values())


def _rows(path: Path) -> dict[str, Sequence[object]]:
    """The rows of an earlier report, by their outputs."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {os.path.abspath(row[1]): row for row in list(csv.reader(file))[1:] if len(row) == len(COLUMNS)}


def conclude(outcomes: Sequence[Outcome], left_alone: int = 0) -> None:
    """Print the sums (with `left_alone` files that are neither photos nor videos), and list what failed."""
    statuses = [outcome.status for outcome in outcomes]
    faces = sum(outcome.faces for outcome in outcomes)
    sums = [f"{_count(statuses.count('attacked'), 'file')} attacked ({_count(faces, 'face')})"]
    sums += [f"{count} {words}" for status, words in _SUMMARY.items() if (count := statuses.count(status))]
    if small := sum(outcome.too_small for outcome in outcomes):
        sums.append(f"{_count(small, 'face')} too small, left alone")
    if left_alone:
        sums.append(f"{_count(left_alone, 'other file')} in the folder left out")
    print("; ".join(sums))
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    if faults:
        raise UserError("\n  ".join([f"{len(faults)} of {_count(len(outcomes), 'file')} had faults:", *faults]))
