"""What is behind the numbers of a cell, as the page tells it: command, code, data, versions, configuration, figures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sr_deepfake.reporting.page_changes import interval_of
from sr_deepfake.reporting.page_words import percent, points
from sr_deepfake.reporting.report_cells import UNDEFENDED, ReportCell
from sr_deepfake.reporting.table import UNDEFINED, WITH_INTERVAL

METRICS = {
    "fnr": "FNR", "fpr": "FPR", "recall": "Recall", "precision": "Precision", "auc": "AUC", "accuracy": "Accuracy",
    "eer": "EER", "ap": "AP",
}  # fmt: skip
# The columns of a cell's figures: heading, and the names that lead to them in metrics.json.
COLUMNS = {
    "Clean": ("clean",),
    "All attacked": ("both",),
    "Change": ("changes", "both"),
    "Fakes attacked": ("fake",),
    "Change, fakes": ("changes", "fake"),
}


@dataclass(frozen=True)
class CellDetails:
    """A cell on the page.

    Attributes:
        id: of its place on the page.
        title: which cell it is.
        gist: FNR, FPR and AUC, clean → attacked, in %.
        command: that repeats it; empty where nothing tells.
        known: what is known, by name.
        versions: of the packages.
        columns: headings of its figures.
        rows: for each metric its name and, for each column, the figure and its interval, "" where there is none.
        config: the configuration as JSON; empty where nothing tells.
    """

    id: str
    title: str
    gist: str
    command: str
    known: dict[str, str]
    versions: dict[str, str]
    columns: list[str]
    rows: list[tuple[str, list[tuple[str, str]]]]
    config: str


def cell_details(cell: ReportCell, index: int) -> CellDetails:
    """Gather what is behind the numbers of a cell.

    Args:
        cell: of the report.
        index: of the cell, for its id.
    """
    shown = COLUMNS if cell.is_attacked else {"Clean": ("clean",)}
    return CellDetails(
        id=f"cell-{index}",
        title=_title(cell),
        gist=_gist(cell),
        command=cell.command,
        known=_known(cell),
        versions={name: str(version) for name, version in _part(cell.provenance, "versions").items()},
        columns=list(shown),
        rows=[
            (label, [_figure(cell, metric, path) for path in shown.values()])
            for metric, label in METRICS.items()
        ],
        config=json.dumps(cell.config, indent=2, ensure_ascii=False) if cell.config else "",
    )


def _title(cell: ReportCell) -> str:
    method = cell.trained_on
    if cell.tested_on != cell.trained_on:
        method += f", tested on {cell.tested_on}"
    defended = "" if cell.defence == UNDEFENDED else f", defence {cell.defence}"
    return f"{cell.model} on {method}{defended}, attack {cell.attack}"


def _gist(cell: ReportCell) -> str:
    shown = []
    for metric in WITH_INTERVAL:
        values = [
            percent(_part(cell.metrics, setup).get(metric))
            for setup in ("clean", "both")[: 1 + cell.is_attacked]
        ]
        shown.append(f"{METRICS[metric]} {' → '.join(values)}")
    return ", ".join(shown)


def _known(cell: ReportCell) -> dict[str, str]:
    """What is known of the run; what nothing tells is left out."""
    told, run, git = _part(cell.metrics, "cell"), cell.provenance, _part(cell.provenance, "git")
    faces = _part(cell.metrics, "faces")
    commit = str(git.get("commit", ""))
    if commit and git.get("changed"):
        commit += ", with changes that were not committed"
    drawn = _part(cell.metrics, "bootstrap")
    known = {
        "Faces": f"{faces.get('faces', 0):,} of {faces.get('videos', 0):,} videos: "
        f"{faces.get('pristine', 0):,} pristine, {faces.get('fake', 0):,} fake",
        "Data, protocol": f"{cell.data}, {cell.protocol}"
        + (" (illustration only)" if cell.illustration else ""),
        "Results": str(cell.folder),
        "Detector": cell.detector,
        "Detector's fingerprint": told.get("detector_fingerprint"),
        "Attack's fingerprint": told.get("attack_fingerprint"),
        "Test faces' fingerprint": told.get("test_faces"),
        "Intervals": f"95 %, {drawn['resamples']:,} resamples of videos, seed {drawn['seed']}"
        if {"resamples", "seed"} <= drawn.keys()
        else None,
        "Git commit": commit,
        "Started": cell.started,
        "Took": f"{run['seconds']:,} s" if isinstance(run.get("seconds"), int | float) else None,
        "Device": run.get("device"),
        "Weights' hash": told.get("detector_weights"),
        "Platform": run.get("platform"),
        "Python": run.get("python"),
    }
    return {name: str(value) for name, value in known.items() if value}


def _figure(cell: ReportCell, metric: str, path: tuple[str, ...]) -> tuple[str, str]:
    """A figure of a cell and its interval, in words."""
    form = points if path[0] == "changes" else percent
    if path[0] == "changes":
        clean, attacked = (_part(cell.metrics, setup).get(metric) for setup in ("clean", path[1]))
        value = None if clean is None or attacked is None else attacked - clean
    else:
        value = _part(cell.metrics, path[0]).get(metric)
    around = interval_of(cell, *path, metric)
    shown = UNDEFINED if value is None else form(value)
    return shown, "" if value is None or around is None else f"{form(around[0])} to {form(around[1])}"


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}
