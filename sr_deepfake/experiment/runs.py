"""The runs of an experiment: what each one's figures depend on, and its state in a small file that outlives the job."""

import hashlib
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sr_deepfake.system.errors import MissingWeightsError, UserError, last_line
from sr_deepfake.system.files import write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run of an experiment (a detector under an attack), and what became of it.

    Attributes:
        program: that does it, as in `python -m sr_deepfake.<program>`.
        overrides: of the command line.
        settings: all that its figures depend on, as far as the configuration tells.
        model: short name.
        forgery: method.
        attack: short name, before it is built.
        data: name of the data set.
        state: "missing", "running", "done", "failed", "skipped" (weights are missing), or "interrupted" (its process
            is gone).
        since: when it began, in seconds since 1970.
        seconds: how long it took, once it ended.
        pid: the job's process.
        host: the job's machine.
        error: why it failed, in one line.
        result: folder of its results, in the outputs.
    """

    program: str
    overrides: list[str]
    settings: dict[str, Any]
    model: str
    forgery: str
    attack: str
    data: str
    state: str = "missing"
    since: float = 0.0
    seconds: float = 0.0
    pid: int = 0
    host: str = ""
    error: str = ""
    result: str = ""

    @property
    def name(self) -> str:
        """Name of its file: for people, with ten digits that differ when any setting differs."""
        canonical = json.dumps([self.program, self.settings], sort_keys=True, separators=(",", ":"))
        digits = hashlib.sha256(canonical.encode()).hexdigest()[:10]
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.model}-{self.forgery}-{self.attack}")
        return f"{label}-{digits}"


@dataclass
class Outcome:
    """Reported by a job about its run.

    Attributes:
        result: folder of the results; None where nothing was kept, on purpose.
        repeated: whether the results were there already, and nothing was scored.
    """

    result: Path | None = None
    repeated: bool = False


def _no_explanation(error: Exception) -> UserError | None:
    return error if isinstance(error, UserError) else None


@dataclass(frozen=True)
class RunStore:
    """The states of runs, in `<outputs>/status/`; a job holds the lock of its run while it lives.

    Args:
        outputs: the folder where every run writes.
        explain: error → the same as one that the user can mend, or None.
        skip_missing_weights: leave out runs whose SR network has no weights here; they are no errors.
    """

    outputs: Path
    explain: Callable[[Exception], UserError | None] = field(default=_no_explanation)
    skip_missing_weights: bool = False

    @property
    def root(self) -> Path:
        """The folder of the states."""
        return self.outputs / "status"

    @contextmanager
    def running(self, run: Run) -> Iterator[Outcome]:
        """Do a run: one job at a time, others wait for it; then write how it ended.

        A run whose process is killed stays "running"; since nobody holds its lock, it is known to be over.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock(run.name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another job does %s; waiting for it.", run.name)
            lock.acquire()
        try:
            earlier = self._read(run.name)
            started = replace(
                run, state="running", since=time.time(), pid=os.getpid(), host=socket.gethostname()
            )
            self._write(started)
            outcome = Outcome()
            try:
                yield outcome
            except Exception as error:
                told = self.explain(error)
                if self.skip_missing_weights and isinstance(told, MissingWeightsError):
                    log.warning("Skipped, as evaluate.skip_missing_weights says: %s", told)
                    self._write(replace(_ended(started), state="skipped", error=last_line(told)))
                    return
                self._write_failure(started, told or error)
                raise
            if outcome.result is None:
                self._path(run.name).unlink() if earlier is None else self._write(earlier)
            elif outcome.repeated and earlier is not None and earlier.state == "done":
                self._write(earlier)  # it took as long as it did when it was done
            else:
                result = os.path.relpath(outcome.result, self.outputs)
                self._write(replace(_ended(started), state="done", result=result))
        finally:
            lock.release()

    def find(self, name: str) -> Run | None:
        """The run of a name; None if it was never begun, or its results are gone."""
        run = self._read(name)
        if run is None:
            return None
        if run.state == "running" and not self._is_alive(run):
            return replace(run, state="interrupted")
        if run.state == "done" and not (self.outputs / run.result / "metrics.json").is_file():
            return None
        return run

    def like(self, run: Run) -> Run | None:
        """Find the stored state of a run; without data.root, that of the last run that differs in nothing else."""
        found = self.find(run.name)
        if found is not None or run.settings.get("data", {}).get("source", {}).get("root", "") is not None:
            return found
        alike = [other for other in self.all() if _without_root(other) == _without_root(run)]
        return alike[-1] if alike else None

    def all(self) -> list[Run]:
        """Every run that was begun, the oldest first."""
        found = [self.find(file.stem) for file in self.root.glob("*.json") if not file.name.startswith(".")]
        return sorted((run for run in found if run is not None), key=lambda run: run.since)

    def _is_alive(self, run: Run) -> bool:
        if run.host == socket.gethostname() and not _is_process(run.pid):
            return False  # at once, though a process that it started may still hold the lock for seconds
        lock = FileLock(self._lock(run.name))
        try:
            with lock.acquire(timeout=0):
                return False
        except (Timeout, PermissionError):  # outputs of somebody else cannot be locked, and are believed
            return True

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.json"

    def _lock(self, name: str) -> Path:
        return self.root / f".{name}.lock"

    def _read(self, name: str) -> Run | None:
        try:
            return Run(**json.loads(self._path(name).read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (TypeError, ValueError):
            log.warning("%s holds no state of a run and is ignored.", self._path(name))
            return None

    def _write(self, run: Run) -> None:
        write_json(self._path(run.name), asdict(run))

    def _write_failure(self, started: Run, error: Exception) -> None:
        try:
            self._write(replace(_ended(started), state="failed", error=last_line(error)))
        except OSError as unwritable:  # a full disk, say: then the first error is the one to be told
            log.error("The state of %s could not be written: %s", started.name, unwritable)


def _without_root(run: Run) -> dict[str, Any]:
    source = run.settings["data"]["source"] | {"root": None}
    return run.settings | {"data": run.settings["data"] | {"source": source}, "program": run.program}


def _ended(run: Run) -> Run:
    return replace(run, seconds=round(time.time() - run.since, 1))


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
