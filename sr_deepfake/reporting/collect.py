"""The results that a report is made of: every folder of results that can be read, and those that cannot."""

from collections.abc import Iterator, Sequence
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
    results: list[Result] = []
    unread: list[Unread] = []
    for folder in _results_folders(folders):
        try:
            results.append(read_result(folder))
        except UserError as error:
            unread.append(Unread(folder, str(error)))
    return Collected(sorted(results, key=lambda result: result.name), unread)


def _results_folders(folders: Sequence[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise UserError(
                f"folders=[{folder}]: there is no such folder; name one that holds results/, or one of results"
            )
        if _holds_results(folder):
            found = [folder]
        else:
            inner = folder / "results" if (folder / "results").is_dir() else folder
            found = sorted(child for child in inner.iterdir() if child.is_dir())
            if inner.name != "results":  # where every folder should be one
                found = [child for child in found if _holds_results(child)]
        for child in found:
            if child.resolve() not in seen:
                seen.add(child.resolve())
                yield child


def _holds_results(folder: Path) -> bool:
    return (folder / METRICS).exists() or (folder / PREDICTIONS).exists()
