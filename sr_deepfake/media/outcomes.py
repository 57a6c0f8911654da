"""Outcomes of attacking files: a line each, a CSV table, a summary."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sr_deepfake.media.face_scores import FaceScores
from sr_deepfake.media.files import Job
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable, write_csv


@dataclass(frozen=True)
class Outcome:
    """Outcome of one file.

    Attributes:
        job: the file.
        status: "attacked", "no face", "there already" (nothing was done) or "failed".
        faces: that were attacked; of a video, in all frames together.
        too_small: faces that were left alone.
        frames: of a video; 1 of a photo.
        scores: of the faces.
        fault: what went wrong, in one line; also of a file that was attacked as far as it can be read.
        note: what else is worth saying.
    """

    job: Job
    status: str
    faces: int = 0
    too_small: int = 0
    frames: int = 0
    scores: FaceScores = field(default_factory=FaceScores)
    fault: str = ""
    note: str = ""


def explain(error: Exception, job: Job) -> str:
    """Describe an error in one line that names the file.

    Example:
        >>> job = Job(Path("a.png"), Path("out/a.png"))
        >>> explain(OSError(28, "No space left on device", "out/.a.png.123"), job)
        'out/a.png: No space left on device'
        >>> explain(ValueError("odd"), job)
        'a.png: ValueError: odd'
    """
    source, target = printable(str(job.source)), printable(str(job.target))
    if isinstance(error, UserError):
        text = printable(str(error))
        return text if source in text or target in text else f"{source}: {text}"
    if isinstance(error, OSError) and error.strerror:
        # Read errors are already UserErrors, so an OSError here comes from writing.
        return f"{target}: {error.strerror}"
    return f"{source}: {type(error).__name__}: {printable(str(error))}".removesuffix(": ")


def describe(outcome: Outcome) -> str:
    """One line of what became of a file."""
    source = printable(str(outcome.job.source))
    if outcome.status == "failed":
        return f"error: {outcome.fault}"
    if outcome.status == "there already":
        return f"{source}: {printable(str(outcome.job.target))} is there already (overwrite=true makes it anew)"
    what = _count(outcome.faces, "face") if outcome.faces else "no face"
    if outcome.frames > 1:
        what += f" in {outcome.frames} frames"
    parts = [what]
    if outcome.too_small:
        parts.append(f"{outcome.too_small} too small, left alone")
    scores = outcome.scores
    if scores.clean is not None and scores.attacked is not None:
        parts.append(f"fake {scores.clean:.3f} -> {scores.attacked:.3f}")
    if scores.ssim is not None:
        parts.append(f"SSIM {scores.ssim:.3f}, PSNR {scores.psnr:.1f} dB")
    if outcome.note:
        parts.append(outcome.note)
    if outcome.fault:
        parts.append(f"error: {outcome.fault}")
    return f"{source}: {', '.join(parts)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


COLUMNS = (
    "input", "output", "status", "frames", "faces", "too_small", "fake_clean", "fake_clean_max", "fake_attacked",
    "fake_attacked_max", "ssim", "psnr", "fault",
)  # fmt: skip


def check_report(path: Path) -> None:
    """See that a report may be written to a file.

    Raises:
        UserError: something else is there.
    """
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
    """Write one row a file as CSV (UTF-8; what is no UTF-8 in a file's name as its bytes)."""
    rows = []
    for outcome in outcomes:
        scores = asdict(outcome.scores)
        rows.append(
            [
                outcome.job.source, outcome.job.target, outcome.status, outcome.frames, outcome.faces,
                outcome.too_small, scores["clean"], scores["clean_max"], scores["attacked"],
                scores["attacked_max"], scores["ssim"], scores["psnr"], outcome.fault,
            ]
        )  # fmt: skip
    write_csv(path, COLUMNS, rows)


def conclude(outcomes: Sequence[Outcome], left_alone: int = 0) -> None:
    """Print the sums, and list what failed.

    Args:
        outcomes: of all files.
        left_alone: files of the input folder that are neither photos nor videos.

    Raises:
        UserError: some failed; with the list.
    """
    of = {status: [outcome for outcome in outcomes if outcome.status == status] for status in _STATUSES}
    faces = sum(outcome.faces for outcome in outcomes)
    sums = [f"{_count(len(of['attacked']), 'file')} attacked ({_count(faces, 'face')})"]
    for status, words in _STATUSES.items():
        if words and of[status]:
            sums.append(f"{len(of[status])} {words}")
    if small := sum(outcome.too_small for outcome in outcomes):
        sums.append(f"{_count(small, 'face')} too small, left alone")
    if left_alone:
        sums.append(f"{_count(left_alone, 'other file')} in the folder left out")
    print("; ".join(sums))
    faults = [outcome.fault for outcome in outcomes if outcome.fault]
    if faults:
        raise UserError("\n  ".join([f"{len(faults)} of {_count(len(outcomes), 'file')} had faults:", *faults]))


_STATUSES = {
    "attacked": "",
    "no face": "without a face",
    "there already": "there already (overwrite=true makes them anew)",
    "failed": "failed",
}
