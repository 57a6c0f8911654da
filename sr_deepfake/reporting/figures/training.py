"""Training curves of the grid's detectors: loss and validation AUC by epoch, from the runs' `csv/metrics.csv`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.figures.style import COLOURS, LINES, MARKERS, PAGE, ReportFigure, drawn
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import model_name

# Column of the file → the panel's label.
CURVES = {"train/loss_epoch": "training loss", "val/loss": "validation loss", "val/auc": "validation AUC (%)"}
RUNS = ("runs", "sweeps")  # folders of the outputs


@dataclass(frozen=True)
class Curve:
    """A detector's training.

    Attributes:
        model: short name.
        forgery: the method.
        epochs: one row an epoch, counted from 1 in the index, with the columns of `CURVES`.
        best: the epoch whose weights are used, from 1; None where nothing tells.
    """

    model: str
    forgery: str
    epochs: pd.DataFrame
    best: int | None = None


def training_figure(grid: ReportGrid) -> tuple[ReportFigure | None, list[str]]:
    """The figure (None without any curve), and the detectors whose curves are not to be found."""
    curves, without = [], []
    for entry in grid.entries:
        result = entry.attacked or entry.clean
        if result is None or result.is_external or result.crosses_data:  # trained elsewhere, or shown there
            continue
        curve = read_curve(result)
        if curve is None:
            without.append(result.detector)
        else:
            curves.append(curve)
    if not curves:
        return None, without
    models = list(dict.fromkeys(curve.model for curve in curves))
    return ReportFigure(
        name="training",
        title="Training",
        caption="By epoch, one line a detector; the large mark is the epoch whose weights are used. The loss is "
        "weighted cross-entropy, on a logarithmic scale.",
        figure=drawn(
            lambda figure: _draw(figure, curves, models, grid), height=0.7 + 1.2 * len(models), width=PAGE
        ),
    ), without


def read_curve(result: Result) -> Curve | None:
    """The training of a result's detector, as far as its last run logged it; None where that is not to be found.

    The detector's `provenance.json` names the folder of the run that ended its training. Outputs may have been moved
    since.
    """
    folder = result.outputs / "detectors" / result.detector
    try:
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        told = Path(provenance["config"]["log_folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for run in _within(told, result.outputs):
        try:
            table = pd.read_csv(run / "csv" / "metrics.csv")
        except (OSError, ValueError):  # pandas' errors of parsing are ValueErrors
            continue
        known = [name for name in CURVES if name in table.columns]
        if "epoch" in table.columns and known:
            epochs = table.dropna(subset=["epoch"]).groupby("epoch")[known].last()
            epochs.index = epochs.index.astype(int) + 1
            return Curve(result.model, result.trained_on, epochs, _best(folder))
    return None


def _within(told: Path, outputs: Path) -> list[Path]:
    """Locate a run's folder in the outputs, which may have been moved as a whole."""
    entries = [entry for entry, part in enumerate(told.parts) if part in RUNS]
    return [outputs.joinpath(*told.parts[entries[-1] :])] if entries else []


def _best(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / "finished.json").read_text(encoding="utf-8"))["best_epoch"]) + 1
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _draw(figure: Figure, curves: Sequence[Curve], models: Sequence[str], grid: ReportGrid) -> None:
    panels: Any = figure.subplots(len(models), len(CURVES), sharex="row", squeeze=False)
    shown: dict[str, Line2D] = {}
    for row, model in zip(panels, models, strict=True):
        row[0].set_ylabel(model_name(model))
        for panel, column in zip(row, CURVES, strict=True):
            factor = 100 if column == "val/auc" else 1
            for curve in (curve for curve in curves if curve.model == model):
                if column not in curve.epochs:
                    continue
                entry = grid.methods.index(curve.forgery)
                values = curve.epochs[column].dropna() * factor
                (line,) = panel.plot(
                    values.index,
                    values,
                    color=COLOURS[entry % len(COLOURS)],
                    linestyle=LINES[entry % len(LINES)],
                    marker=MARKERS[entry % len(MARKERS)],
                    markersize=2.5,
                )
                shown.setdefault(curve.forgery, line)
                if curve.best is not None and curve.best in values.index:
                    panel.plot(
                        curve.best,
                        values[curve.best],
                        color=COLOURS[entry % len(COLOURS)],
                        marker=MARKERS[entry % len(MARKERS)],
                        markersize=6,
                    )
            if factor == 1:
                panel.set_yscale("log")
                panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
                panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
                panel.yaxis.set_minor_locator(NullLocator())
            panel.locator_params(axis="x", integer=True)
    for panel, title in zip(panels[0], CURVES.values(), strict=True):
        panel.set_title(title)
    for panel in panels[-1]:
        panel.set_xlabel("epoch")
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=len(shown), frameon=False)
