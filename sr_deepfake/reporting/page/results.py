"""Provenance and figures of a result on the page: command, code, data, versions, configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.reporting.numbers import UNDEFINED, WITH_INTERVAL, percent, points

METRICS = {
    "fnr": "FNR", "fpr": "FPR", "recall": "Recall", "precision": "Precision", "auc": "AUC", "accuracy": "Accuracy",
    "eer": "EER", "ap": "AP",
}  # fmt: skip
# The columns of a result's figures: heading, and the names that lead to them in metrics.json.
COLUMNS = {
    "Clean": ("clean",),
    "All attacked": ("both",),
    "Change": ("changes", "both"),
    "Fakes attacked": ("fake",),
    "Change, fakes": ("changes", "fake"),
}


@dataclass(frozen=True)
class ResultDetails:
    """A result on the page.

    Attributes:
        id: of its place on the page.
        title: which result it is.
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


def result_details(result: Result, index: int) -> ResultDetails:
    """Gather what is behind the numbers of a result.

    Args:
        result: of the report.
        index: of the result, for its id.
    """
    shown = COLUMNS if result.is_attacked else {"Clean": ("clean",)}
    return ResultDetails(
        id=f"result-{index}",
        title=_title(result),
        gist=_gist(result),
        command=result.command,
        known=_known(result),
        versions={name: str(version) for name, version in _part(result.provenance, "versions").items()},
        columns=list(shown),
        rows=[
            (label, [_figure(result, metric, path) for path in shown.values()])
            for metric, label in METRICS.items()
        ],
        config=json.dumps(result.config, indent=2, ensure_ascii=False) if result.config else "",
    )


def _title(result: Result) -> str:
    method = f"{result.tested_on} (trained elsewhere)" if result.is_external else result.trained_on
    if not result.is_external and result.tested_on != result.trained_on:
        method += f", tested on {result.tested_on}"
    defended = "" if result.defence == UNDEFENDED else f", defence {result.defence}"
    return f"{result.model} on {method}{defended}, attack {result.attack}"


def _gist(result: Result) -> str:
    setups = ("clean", "both")[: 1 + result.is_attacked]
    shown = {name: [percent(result.metrics[setup][name]) for setup in setups] for name in WITH_INTERVAL}
    return ", ".join(f"{METRICS[name]} {' → '.join(values)}" for name, values in shown.items())


def _known(result: Result) -> dict[str, str]:
    """The known facts of the run; unknown ones are left out."""
    told, run, git = result.run, result.provenance, _part(result.provenance, "git")
    faces, drawn = result.metrics["faces"], result.metrics["bootstrap"]
    commit = str(git.get("commit", ""))
    if commit and git.get("changed"):
        commit += ", with changes that were not committed"
    known = {
        "Faces": f"{faces['faces']:,} of {faces['videos']:,} videos: {faces['pristine']:,} pristine, "
        f"{faces['fake']:,} fake",
        "Data, protocol": f"{result.data}, {result.protocol}{' (illustration only)' if result.illustration else ''}",
        "Results": str(result.folder),
        "Detector": result.detector,
        "Detector's fingerprint": told.get("detector_fingerprint"),
        "Attack's fingerprint": told.get("attack_fingerprint"),
        "Test faces' fingerprint": told.get("test_faces"),
        "Intervals": f"95 %, {drawn['resamples']:,} resamples of videos, seed {drawn['seed']}",
        "Git commit": commit,
        "Started": result.started,
        "Took": f"{run['seconds']:,} s" if isinstance(run.get("seconds"), int | float) else None,
        "Device": run.get("device"),
        "Weights' hash": told.get("detector_weights"),
        "Platform": run.get("platform"),
        "Python": run.get("python"),
    }
    return {name: str(value) for name, value in known.items() if value}


def _figure(result: Result, metric: str, path: tuple[str, ...]) -> tuple[str, str]:
    """A figure of a result and its interval, in words."""
    form = points if path[0] == "changes" else percent
    figures = result.metrics
    for name in path:
        figures = figures[name]
    value, around = figures[metric], result.interval(*path, metric)
    shown = UNDEFINED if value is None else form(value)
    return shown, "" if value is None or around is None else f"{form(around[0])} to {form(around[1])}"


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}
