"""ROC curves (the paper's figure 2) and reliability diagrams, one figure a model: solid clean, dashed attacked."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.classification import reliability, roc_curve
from sr_deepfake.metrics.predictions import setup_scores
from sr_deepfake.reporting.figures.style import COLOURS, MARKERS, ReportFigure, drawn, file_name
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import show
from sr_deepfake.reporting.published import model_name

LOW = 0.1  # the inset's largest FPR
LEAST = 5  # faces of a bin of the reliability diagram that is drawn
_LEGEND: Any = {"loc": "outside upper center", "ncols": 2, "frameon": False, "columnspacing": 0.6, "handlelength": 1.4,
           "handletextpad": 0.4}  # fmt: skip

Curve = Callable[[Axes, Result, str, dict[str, Any]], None]


def curve_figures(grid: ReportGrid) -> list[ReportFigure]:
    """The ROC figure and the reliability diagram of each model that has results; all faces attacked (table 1)."""
    lines = f"Solid: clean. Dashed: all faces attacked by {grid.attack}."
    roc = f"{lines} Legend: AUC in %, clean → attacked. The inset shows FPR up to {LOW:.0%}."
    reliable = (
        "Share of fakes among the faces of a score, over 15 bins of it; on the diagonal scores are probabilities. "
        f"Bins of fewer than {LEAST} faces are left out. {lines} Legend: expected calibration error."
    )
    figures = []
    for model in grid.models:
        entries = [entry for entry in grid.shown if entry.model == model]
        for name, title, words, metric, unit, curve in (
            ("roc", "ROC curves", roc, "auc", "%", _roc),
            ("reliability", "Reliability", reliable, "ece", "", _reliability),
        ):
            if entries:
                figure = _figure(entries, grid, metric, unit, curve)
                title = f"{title} of {model_name(model)}"
                figures.append(ReportFigure(file_name(f"{name}_{model}"), title, words, figure))
    return figures


def _figure(entries: list[Entry], grid: ReportGrid, metric: str, unit: str, curve: Curve) -> Figure:
    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        handles = []
        for entry in entries:
            number = list(grid.methods).index(entry.method)
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            setups = ("clean", "both")[: 1 + entry.is_attacked]
            for setup in setups:
                style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 3}
                if setup == "clean":
                    style |= {"linestyle": "-", "markerfacecolor": colour}
                else:
                    style |= {"linestyle": "--", "markerfacecolor": "white"}
                curve(axes, entry.result, setup, style)
            shown = " → ".join(show(entry.figure(setup, metric).value, unit) for setup in setups)
            handles.append(Line2D([], [], color=colour, marker=marker, label=f"{entry.method} {shown}"))
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, zorder=0)
        states: Any = (("-", "clean"), ("--", "attacked"))
        handles += [Line2D([], [], color="0.3", linestyle=line, label=label) for line, label in states]
        figure.legend(handles=handles, **_LEGEND)

    return drawn(draw, height=2.7 + 0.14 * -(-(len(entries) + 2) // 2))


def _roc(axes: Axes, result: Result, setup: str, style: dict[str, Any]) -> None:
    table = result.predictions
    fpr, tpr = roc_curve(setup_scores(table, setup), table["label"], setup_scores(table, setup, "logit"))
    if not axes.child_axes:
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="FPR", ylabel="TPR (1 − FNR)")
        new = axes.inset_axes((0.42, 0.13, 0.54, 0.52))
        new.set(xlim=(0, LOW), ylim=(0.9, 1.005))
        new.set_xticks([0, LOW / 2, LOW])
        new.tick_params(pad=1.5)
        new.spines[["top", "right"]].set_visible(True)
    if not len(fpr):
        return
    inset: Any = axes.child_axes[0]
    for panel in (axes, inset):
        panel.plot(fpr, tpr, markevery=(0.05, 0.3), **style)
    lowest = np.floor(float(np.interp(LOW / 4, fpr, tpr)) * 10) / 10
    inset.set_ylim(bottom=max(0.0, min(inset.get_ylim()[0], lowest)))


def _reliability(axes: Axes, result: Result, setup: str, style: dict[str, Any]) -> None:
    mean, share, count = reliability(setup_scores(result.predictions, setup), result.predictions["label"])
    axes.plot(mean[count >= LEAST], share[count >= LEAST], **style)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), xlabel="Score", ylabel="Share of fakes")
