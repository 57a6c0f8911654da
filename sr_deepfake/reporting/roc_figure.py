"""ROC curves, one figure a model: every method clean (solid) and attacked (dashed), as in the paper's figure 2."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.reporting.figures import COLOURS, MARKERS, drawn
from sr_deepfake.reporting.published import MODEL_NAMES
from sr_deepfake.reporting.report_cells import ReportCell
from sr_deepfake.reporting.report_figures import ReportFigure, file_name
from sr_deepfake.reporting.report_grid import ReportGrid
from sr_deepfake.reporting.table import UNDEFINED, number

Array = npt.NDArray[np.float64]
LOW = 0.1  # the inset's largest FPR


def roc_curve(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array]:
    """The corners of the ROC curve.

    Args:
        scores: N probabilities of fake.
        labels: N labels; 1 is fake, 0 pristine.

    Returns:
        FPR and TPR from (0, 0) to (1, 1), without the points that lie on a straight line between their neighbours;
        empty where a class is absent.

    Example:
        >>> fpr, tpr = roc_curve([0.9, 0.8, 0.6, 0.3], [1, 1, 0, 0])
        >>> fpr.tolist(), tpr.tolist()
        ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)  # of those with equal scores
    found = np.append(0, np.cumsum(label[order] == 1)[last])
    accused = np.append(0, np.cumsum(label[order] == 0)[last])
    if not found[-1] or not accused[-1]:
        return np.empty(0), np.empty(0)
    steps = np.diff(np.stack([accused, found]), axis=1)
    turns = steps[0, :-1] * steps[1, 1:] != steps[0, 1:] * steps[1, :-1]
    kept = np.concatenate([[True], turns, [True]])
    return accused[kept] / accused[-1], found[kept] / found[-1]


def roc_figures(grid: ReportGrid) -> list[ReportFigure]:
    """A figure for each model that has any results; all faces attacked (table 1)."""
    figures = []
    for model in grid.models:
        cells = {
            place.forgery: place.attacked or place.clean
            for place in grid.places
            if place.model == model and (place.attacked or place.clean) is not None
        }
        found = {method: cell for method, cell in cells.items() if cell is not None}
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


def _roc_figure(found: dict[str, ReportCell], grid: ReportGrid) -> Figure:
    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        inset = axes.inset_axes((0.42, 0.13, 0.54, 0.52))
        handles = []
        lowest = 1.0
        for number_, (method, cell) in enumerate(found.items()):
            place = grid.methods.index(method) if method in grid.methods else number_
            colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
            attacked = cell.is_attacked and cell.attack == grid.attack
            for setup, line in (("clean", "-"), ("both", "--"))[: 1 + attacked]:
                fpr, tpr = roc_curve(setup_scores(cell.predictions, setup), cell.predictions["label"])
                if not len(fpr):
                    continue
                for panel in (axes, inset):
                    panel.plot(
                        fpr,
                        tpr,
                        line,
                        color=colour,
                        marker=marker,
                        markevery=(0.03 + 0.04 * place, 0.3),
                        markerfacecolor=colour if setup == "clean" else "white",
                        markersize=3,
                    )
                lowest = min(lowest, float(np.interp(LOW / 4, fpr, tpr)))
            label = f"{method} {_auc(cell, 'clean')}"
            label += f" → {_auc(cell, 'both')}" if attacked else ""
            handles.append(Line2D([], [], color=colour, marker=marker, label=label))
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="FPR", ylabel="TPR (1 − FNR)")
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, zorder=0)
        inset.set(xlim=(0, LOW), ylim=(max(0.0, min(0.9, np.floor(lowest * 10) / 10)), 1.005))
        inset.set_xticks([0, LOW / 2, LOW])
        inset.tick_params(pad=1.5)
        inset.spines[["top", "right"]].set_visible(True)
        handles += _states()
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


def _states() -> Sequence[Line2D]:
    return [
        Line2D([], [], color="0.3", linestyle="-", label="clean"),
        Line2D([], [], color="0.3", linestyle="--", label="attacked"),
    ]


def _auc(cell: ReportCell, setup: str) -> str:
    return number(cell.metrics[setup]["auc"], 1, 100) or UNDEFINED
