"""What became of each job: `job.json` in the folder that Hydra gives it."""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import ValidationError

from sr_deepfake.experiment.provenance import METRICS
from sr_deepfake.system.errors import MissingWeightsError, UserError, last_line
from sr_deepfake.system.values import Frozen, Text

log = logging.getLogger(__name__)

JOB = "job.json"
_LOCK = ".job.lock"


class Job(Frozen):
    """One job of a program, and what became of it."""

    program: str  # as in `python -m sr_deepfake.<program>`
    overrides: tuple[Text, ...]  # of the command line
    # "missing" was never started, "skipped" lacks weights, the process of "interrupted" is gone
    state: Literal["missing", "running", "done", "failed", "skipped", "interrupted"] = "missing"
    since: float = 0.0  # when it began, in seconds since 1970
    seconds: float = 0.0  # how long it took, once it ended
    pid: int = 0
    host: str = ""
    error: Text = ""  # why it failed, in one line
    results: tuple[str, ...] = ()  # folders of its results, relative to the outputs
    left_out: tuple[Text, ...] = ()  # attacks of a suite that could not be done, each with the reason

    @property
    def command(self) -> frozenset[str]:
        """What distinguishes jobs (Hydra's sweeper writes True where `true` was typed)."""
        words = (word.lower() if word.endswith(("=True", "=False")) else word for word in self.overrides)
        return frozenset([self.program, *words])


@dataclass
class Outcome:
    """Reported by a running job."""

    results: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    objective: float | None = None  # the figure that a sweeper asked for


@contextmanager
def running(
    folder: Path,
    job: Job,
    outputs: Path,
    as_user_error: Callable[[Exception], UserError | None],
    skip_missing_weights: bool = False,
) -> Iterator[Outcome]:
    """Do a job and write how it ended. A job whose process is killed stays "running"; nobody holds its lock then."""
    folder.mkdir(parents=True, exist_ok=True)
    started = job.model_copy(
        update={"state": "running", "since": time.time(), "pid": os.getpid(), "host": socket.gethostname()}
    )
    with FileLock(folder / _LOCK):
        started.write(folder / JOB)
        outcome = Outcome()
        try:
            yield outcome
        except Exception as error:
            known = as_user_error(error)
            skipped = skip_missing_weights and isinstance(known, MissingWeightsError)
            state = "skipped" if skipped else "failed"
            try:
                _ended(started, state=state, error=last_line(known or error)).write(folder / JOB)
            except OSError as unwritable:  # a full disk, say: the first error is the one to report
                log.error("%s could not be written: %s", folder / JOB, unwritable)
            if not skipped:
                raise
            log.warning("Skipped, as evaluate.skip_missing_weights says: %s", known)
            return
        results = tuple(os.path.relpath(result, outputs) for result in outcome.results)
        _ended(started, state="done", results=results, left_out=tuple(outcome.left_out)).write(folder / JOB)


def read_jobs(outputs: Path) -> list[Job]:
    """The newest job of each command below the outputs, the oldest first; one whose results are gone is left out."""
    newest: dict[frozenset[str], Job] = {}
    for path in [*outputs.glob(f"runs/*/*/{JOB}"), *outputs.glob(f"sweeps/*/*/*/{JOB}")]:
        job = _read(path, outputs)
        if job is not None and job.since >= newest.get(job.command, job).since:
            newest[job.command] = job
    return sorted(newest.values(), key=lambda job: job.since)


def select_jobs(jobs: Sequence[Job], overrides: Sequence[str]) -> list[Job]:
    """The jobs whose command has all of some overrides."""
    return [job for job in jobs if set(overrides) <= set(job.overrides)]


def _read(path: Path, outputs: Path) -> Job | None:
    try:
        job = Job.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        log.warning("%s is not the state of a job, and is ignored.", path)
        return None
    if job.state == "running" and not _is_alive(job, path.parent):
        return job.model_copy(update={"state": "interrupted"})
    if job.state == "done" and not all((outputs / result / METRICS).is_file() for result in job.results):
        return None
    return job


def _is_alive(job: Job, folder: Path) -> bool:
    if job.host == socket.gethostname():
        try:
            with suppress(PermissionError):  # somebody else's process
                os.kill(job.pid, 0)
        except ProcessLookupError:
            return False  # at once, though a process that it started may still hold the lock for seconds
    try:
        with FileLock(folder / _LOCK).acquire(timeout=0):
            return False
    except (Timeout, PermissionError):  # outputs of somebody else cannot be locked, and are believed
        return True


def _ended(job: Job, **found: Any) -> Job:
    return job.model_copy(update={"seconds": round(time.time() - job.since, 1), **found})
