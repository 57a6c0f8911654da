"""The state of every cell: running, done or failed, in one small file a cell, which outlives the job."""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from sr_deepfake.cell import Cell
from sr_deepfake.errors import MissingWeightsError
from sr_deepfake.files import write_json
from sr_deepfake.sweep import last_line, mendable

log = logging.getLogger(__name__)


class CellStore:
    """The cells' files, in `<outputs>/cells/`; a job holds the lock of its cell while it lives.

    Args:
        outputs: the folder where every run writes.
        skip_missing_weights: a cell whose SR network has no weights here is left out, and is no error.
    """

    def __init__(self, outputs: Path, skip_missing_weights: bool = False) -> None:
        self.outputs = outputs
        self.skip_missing_weights = skip_missing_weights
        self.root = outputs / "cells"

    @contextmanager
    def running(self, cell: Cell) -> Iterator["Job"]:
        """Do a cell: one job at a time, others wait for it; then write down how it ended.

        What ends the process leaves the cell "running", which is known to be over since nobody holds its lock.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock(cell.name))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("Another job does %s; waiting for it.", cell.name)
            lock.acquire()
        try:
            earlier = self._read(cell.name)
            job = Job()
            started = replace(
                cell, state="running", since=time.time(), pid=os.getpid(), host=socket.gethostname()
            )
            self._write(started)
            try:
                yield job
            except Exception as error:
                told = mendable(error, self.outputs)
                if self.skip_missing_weights and isinstance(told, MissingWeightsError):
                    log.warning("Skipped, as evaluate.skip_missing_weights says: %s", told)
                    self._write(replace(_ended(started), state="skipped", error=last_line(told)))
                    return
                self._write_failure(started, told or error)
                raise
            if job.result is None:  # nothing was kept of it
                self._path(cell.name).unlink() if earlier is None else self._write(earlier)
            elif job.repeated and earlier is not None and earlier.state == "done":
                self._write(earlier)  # it took as long as it did when it was done
            else:
                result = os.path.relpath(job.result, self.outputs)
                self._write(replace(_ended(started), state="done", result=result))
        finally:
            lock.release()

    def find(self, name: str) -> Cell | None:
        """What became of the cell of this name; None if it was never begun, or its results are no more."""
        cell = self._read(name)
        if cell is None:
            return None
        if cell.state == "running" and not self._is_alive(cell):
            return replace(cell, state="interrupted")
        if cell.state == "done" and not (self.outputs / cell.result / "metrics.json").is_file():
            return None
        return cell

    def like(self, cell: Cell) -> Cell | None:
        """What became of a cell; where it names no data.root, of the last one that is the same but for that."""
        found = self.find(cell.name)
        if found is not None or cell.settings["data"]["source"].get("root", "") is not None:
            return found
        alike = [other for other in self.all() if _without_root(other) == _without_root(cell)]
        return alike[-1] if alike else None

    def all(self) -> list[Cell]:
        """Every cell that was begun, the oldest first."""
        found = [self.find(file.stem) for file in self.root.glob("*.json") if not file.name.startswith(".")]
        return sorted((cell for cell in found if cell is not None), key=lambda cell: cell.since)

    def _is_alive(self, cell: Cell) -> bool:
        if cell.host == socket.gethostname() and not _is_process(cell.pid):
            return False  # at once, though a process that it started may still hold the lock for seconds
        lock = FileLock(self._lock(cell.name))
        try:
            with lock.acquire(timeout=0):
                return False
        except (Timeout, PermissionError):  # outputs of somebody else cannot be locked, and are believed
            return True

    def _path(self, name: str) -> Path:
        return self.root / f"{name}.json"

    def _lock(self, name: str) -> Path:
        return self.root / f".{name}.lock"

    def _read(self, name: str) -> Cell | None:
        try:
            return Cell(**json.loads(self._path(name).read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (TypeError, ValueError):
            log.warning("%s holds no state of a cell, and is passed over.", self._path(name))
            return None

    def _write(self, cell: Cell) -> None:
        write_json(self._path(cell.name), asdict(cell))

    def _write_failure(self, started: Cell, error: Exception) -> None:
        try:
            self._write(replace(_ended(started), state="failed", error=last_line(error)))
        except OSError as unwritable:  # a full disk, say: then the first error is the one to be told
            log.error("The state of %s could not be written: %s", started.name, unwritable)


def running(cell: Cell, cfg: DictConfig) -> AbstractContextManager["Job"]:
    """Do a cell, as `CellStore.running` says, in the outputs of a configuration."""
    return CellStore(Path(cfg.paths.outputs), cfg.evaluate.skip_missing_weights).running(cell)


def _without_root(cell: Cell) -> dict[str, Any]:
    source = cell.settings["data"]["source"] | {"root": None}
    return cell.settings | {"data": cell.settings["data"] | {"source": source}, "program": cell.program}


@dataclass
class Job:
    """What the job that does a cell has to say about it.

    Attributes:
        result: the folder of the results; None: there are none, by intention.
        repeated: the results were there already, and nothing was scored.
    """

    result: Path | None = None
    repeated: bool = False


def _ended(cell: Cell) -> Cell:
    return replace(cell, seconds=round(time.time() - cell.since, 1))


def _is_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
