"""The results that a report is made of: every folder of results that can be read, and those that cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr_deepfake.experiment.results import METRICS, PREDICTIONS, Result, read_result
from sr_deepfake.system.errors import UserError


@dataclass(frozen=True)
class Unread:
    """A folder of results that cannot be shown."""

    folder: Path
    reason: str  # and how to fix it, in one line


@dataclass(frozen=True)
class Collected:
    """The results that were found."""

    results: Sequence[Result]  # by name
    unread: Sequence[Unread]  # damaged or unfinished


def collect(folders: Sequence[Path]) -> Collected:
    """Read all results below some folders."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for child in _results_folders(folder):
            found.setdefault(child.resolve(), child)
    results: dict[tuple[str, str], Result] = {}  # a copy of results is the same results
    unread: list[Unread] = []
    for folder in found.values():
        try:
            result = read_result(folder)
            results.setdefault((result.run.key, result.started), result)
        except UserError as error:
            unread.append(Unread(folder, str(error)))
    return Collected(sorted(results.values(), key=lambda result: result.name), unread)


def _results_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"folders=[{folder}]: there is no such folder; name one that holds results/, or one of results")
    if _holds_results(folder):
        return [folder]
    inner = folder / "results" if (folder / "results").is_dir() else folder
    children = sorted(child for child in inner.iterdir() if child.is_dir())
    # In a folder of this name every folder should be one of results.
    return children if inner.name == "results" else [child for child in children if _holds_results(child)]


def _holds_results(folder: Path) -> bool:
    return (folder / METRICS).exists() or (folder / PREDICTIONS).exists()
