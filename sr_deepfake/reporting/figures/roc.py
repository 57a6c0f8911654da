"""ROC curves, one figure a model: every method clean (solid) and attacked (dashed), as in the paper's figure 2."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.functional import roc_curve
from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.reporting.figures.style import COLOURS, MARKERS, ReportFigure, drawn, file_name
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import UNDEFINED, number
from sr_deepfake.reporting.published import MODEL_NAMES

LOW = 0.1  # the inset's largest FPR


def roc_figures(grid: ReportGrid) -> list[ReportFigure]:
    """A figure for each model that has any results; all faces attacked (table 1)."""
    figures = []
    for model in grid.models:
        found = of_model(grid, model)
        if not found:
            continue
        name = MODEL_NAMES.get(model, model)
        figures.append(
            ReportFigure(
                name=file_name(f"roc_{model}"),
                title=f"ROC curves of {name}",
                caption=f"Solid: clean. Dashed: all faces attacked by {grid.attack}. Legend: AUC in %, clean "
                f"→ attacked. The inset shows FPR up to {LOW:.0%}.",
                figure=_roc_figure(found, grid),
            )
        )
    return figures


def of_model(grid: ReportGrid, model: str) -> dict[str, Result]:
    """The results of a model by forgery method, attacked ones where there are any."""
    results = {entry.forgery: entry.attacked or entry.clean for entry in grid.entries if entry.model == model}
    return {method: result for method, result in results.items() if result is not None}


def _roc_figure(found: dict[str, Result], grid: ReportGrid) -> Figure:
    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        inset = axes.inset_axes((0.42, 0.13, 0.54, 0.52))
        handles = []
        lowest = 1.0
        for number_, (method, result) in enumerate(found.items()):
            entry = grid.methods.index(method) if method in grid.methods else number_
            colour, marker = COLOURS[entry % len(COLOURS)], MARKERS[entry % len(MARKERS)]
            attacked = result.is_attacked and result.attack == grid.attack
            for setup, line in (("clean", "-"), ("both", "--"))[: 1 + attacked]:
                fpr, tpr = roc_curve(setup_scores(result.predictions, setup), result.predictions["label"])
                if not len(fpr):
                    continue
                for panel in (axes, inset):
                    panel.plot(
                        fpr,
                        tpr,
                        line,
                        color=colour,
                        marker=marker,
                        markevery=(0.03 + 0.04 * entry, 0.3),
                        markerfacecolor=colour if setup == "clean" else "white",
                        markersize=3,
                    )
                lowest = min(lowest, float(np.interp(LOW / 4, fpr, tpr)))
            label = f"{method} {_auc(result, 'clean')}"
            label += f" → {_auc(result, 'both')}" if attacked else ""
            handles.append(Line2D([], [], color=colour, marker=marker, label=label))
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="FPR", ylabel="TPR (1 − FNR)")
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, zorder=0)
        inset.set(xlim=(0, LOW), ylim=(max(0.0, min(0.9, np.floor(lowest * 10) / 10)), 1.005))
        inset.set_xticks([0, LOW / 2, LOW])
        inset.tick_params(pad=1.5)
        inset.spines[["top", "right"]].set_visible(True)
        handles += states()
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=2,
            frameon=False,
            columnspacing=0.6,
            handlelength=1.4,
            handletextpad=0.4,
        )

    rows = -(-(len(found) + 2) // 2)
    return drawn(draw, height=2.7 + 0.14 * rows)


def states() -> Sequence[Line2D]:
    """The legend's entries for solid and dashed lines."""
    return [
        Line2D([], [], color="0.3", linestyle="-", label="clean"),
        Line2D([], [], color="0.3", linestyle="--", label="attacked"),
    ]


def _auc(result: Result, setup: str) -> str:
    return number(result.metrics[setup]["auc"], 1, 100) or UNDEFINED
