"""The cells that a report is made of: every folder of results that can be read, and those that cannot."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sr_deepfake.errors import UserError
from sr_deepfake.metrics.functional import THRESHOLD
from sr_deepfake.metrics.predictions import read_predictions
from sr_deepfake.metrics.setups import SETUPS, read_metrics
from sr_deepfake.reporting.summary import Result
from sr_deepfake.reporting.table import HEADINGS

METRICS, PREDICTIONS, PROVENANCE = "metrics.json", "predictions.parquet", "provenance.json"
UNDEFENDED = "none"
# What a cell says of itself in metrics.json, and what is read of it here.
_NAMES = ("model", "forgery", "attack", "data", "protocol", "detector")


@dataclass(frozen=True)
class ReportCell:
    """One folder of results.

    Attributes:
        name: of the folder: `<model>-<forgery>-<fingerprint>-<attack>-<digits>`.
        folder: where it is.
        model: short name.
        trained_on: the forgery method that the detector learned to find.
        tested_on: the one whose fakes it was tested on; the same in the paper's tables.
        attack: label, such as "sr-edsr-x2"; "none".
        data: name of the data set.
        protocol: name of the detector's.
        illustration: the sentence that says that the data set's figures are illustrations; empty where they are not.
        metrics: of `cell_metrics`, as `read_metrics` gives them: None where a figure is undefined. `both`, `fake`
            and what hangs on them are None without an attack; `intervals`, `mcnemar` and `correlation` may be
            missing in results of older versions.
        provenance: of `provenance.json`; empty where there is none.
        predictions: the table of predictions.
        defence: what was in the training, "none" or such as "sr-edsr-x2 p=0.5".
        detector: name of the detector's folder.
    """

    name: str
    folder: Path
    model: str
    trained_on: str
    tested_on: str
    attack: str
    data: str
    protocol: str
    illustration: str
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]
    predictions: pd.DataFrame
    defence: str = UNDEFENDED
    detector: str = ""
    kind: str = ""
    strength: str = ""
    network: str = ""
    scale: int = 1

    @property
    def outputs(self) -> Path:
        """The folder that the run wrote to: `results/` and `detectors/` are in it."""
        return self.folder.parent.parent

    @property
    def attack_and_strength(self) -> str:
        """The attack's name less its variant, such as the weights: "sr-edsr-x2"."""
        return f"{self.kind}-{self.strength}" if self.strength else self.kind

    @property
    def is_attacked(self) -> bool:
        """Whether the faces were scored attacked too."""
        return self.metrics.get("both") is not None

    @property
    def command(self) -> str:
        """The command that repeats it; empty where nothing tells."""
        return str(self.provenance.get("job", ""))

    @property
    def started(self) -> str:
        """When it was scored, ISO 8601 in UTC; empty where nothing tells."""
        return str(self.provenance.get("started", ""))

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as plain values; empty where nothing tells."""
        found = self.provenance.get("config")
        return found if isinstance(found, Mapping) else {}

    def as_result(self) -> Result:
        """What the summaries of experiments see of it."""
        return Result(
            model=self.model,
            trained_on=self.trained_on,
            tested_on=self.tested_on,
            attack=self.attack,
            network=self.network or self.attack,
            scale=self.scale,
            defence=self.defence,
            predictions=self.predictions,
        )


@dataclass(frozen=True)
class Unread:
    """A folder of results that cannot be shown.

    Attributes:
        folder: where it is.
        reason: why, and what mends it, in one line.
    """

    folder: Path
    reason: str


@dataclass(frozen=True)
class Collected:
    """What was found.

    Attributes:
        cells: by name.
        unread: the folders that are damaged or unfinished.
    """

    cells: Sequence[ReportCell]
    unread: Sequence[Unread]


def collect(folders: Sequence[Path]) -> Collected:
    """Read all results below some folders.

    Args:
        folders: each an outputs folder (with `results/` in it), a folder of results folders, or one of results. A
            results folder that is found twice counts once.

    Raises:
        UserError: a folder is missing. (What is damaged is told in `unread`.)

    Example:
        >>> import tempfile
        >>> collect([Path(tempfile.mkdtemp())])
        Collected(cells=[], unread=[])
    """
    cells: list[ReportCell] = []
    unread: list[Unread] = []
    for folder in _results_folders(folders):
        try:
            cells.append(_read(folder))
        except UserError as error:
            unread.append(Unread(folder, str(error)))
    return Collected(sorted(cells, key=lambda cell: cell.name), unread)


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


def _read(folder: Path) -> ReportCell:
    if not (folder / METRICS).exists():
        raise UserError(f"unfinished: {METRICS} is missing; the command that began it, run again, writes it")
    metrics = read_metrics(folder / METRICS)
    cell = metrics.get("cell")
    if not isinstance(cell, Mapping) or not all(isinstance(cell.get(name), str) for name in _NAMES):
        raise UserError(
            f"{METRICS} does not say which cell it is of; score it again with evaluate.force=true"
        )
    if cell.get("limit_test_batches", 1.0) != 1.0 or isinstance(cell.get("limit_test_batches"), int):
        raise UserError(
            f"only a part of the test faces was scored (limit_test_batches={cell['limit_test_batches']})"
        )
    _check_metrics(metrics)
    predictions = read_predictions(folder / PREDICTIONS)
    _check_agreement(metrics, predictions)
    provenance = _json(folder / PROVENANCE)
    detector = Path(cell["detector"]).name
    parts = detector.rsplit("-", 2)  # <model>-<forgery>-<fingerprint>
    return ReportCell(
        name=folder.name,
        folder=folder,
        model=cell["model"],
        trained_on=parts[1] if len(parts) == 3 else cell["forgery"],
        tested_on=cell["forgery"],
        attack=cell["attack"],
        data=cell["data"],
        protocol=cell["protocol"],
        illustration=str(cell.get("illustration") or ""),
        metrics=metrics,
        provenance=provenance,
        predictions=predictions,
        defence=str(cell.get("defence") or UNDEFENDED),
        detector=detector,
        kind=str(cell.get("attack_kind") or cell["attack"]),
        strength=str(cell.get("attack_strength") or ""),
        network=str(cell.get("network") or ""),
        scale=int(cell.get("scale") or 1),
    )


def _json(path: Path) -> dict[str, Any]:
    """What a file of JSON holds; empty where it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _check_metrics(metrics: Mapping[str, Any]) -> None:
    """Refuse what lacks a figure of the paper's tables, so that nothing that is made of it needs to look."""
    attacked = metrics.get("both") is not None
    rows = [metrics.get(name) for name in (SETUPS if attacked else SETUPS[:1])]
    needed = [*rows, metrics.get("faces")] + ([metrics.get("similarity")] if attacked else [])
    names = HEADINGS.keys()
    whole = all(isinstance(part, Mapping) for part in needed) and all(
        name in row and (row[name] is None or isinstance(row[name], int | float))
        for row in rows
        if row is not None
        for name in names
    )
    if not whole:
        raise UserError(f"{METRICS} lacks figures; score it again with evaluate.force=true")


def _check_agreement(metrics: Mapping[str, Any], predictions: pd.DataFrame) -> None:
    """Refuse metrics that are not those of the predictions: of another run, say."""
    fakes = predictions["label"] == 1
    missed = (predictions["score"] <= THRESHOLD)[fakes].mean() if fakes.any() else math.nan
    told = metrics["clean"]["fnr"]
    same = (told is None and math.isnan(missed)) or (
        told is not None and math.isclose(told, missed, abs_tol=1e-6)
    )
    if not same or metrics["faces"].get("faces") != len(predictions):
        raise UserError(
            f"{METRICS} and {PREDICTIONS} do not belong together; score it again with evaluate.force=true"
        )
