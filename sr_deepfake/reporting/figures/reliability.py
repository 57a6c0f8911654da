"""Reliability diagrams, one figure a model: are the scores probabilities, clean (solid) and attacked (dashed)?"""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.calibration import reliability
from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.reporting.figures.roc import of_model, states
from sr_deepfake.reporting.figures.style import COLOURS, MARKERS, ReportFigure, drawn, file_name
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import UNDEFINED, model_name, number

LEAST = 5  # faces of a bin that is drawn


def reliability_figures(grid: ReportGrid) -> list[ReportFigure]:
    """A figure for each model that has any results; all faces attacked."""
    return [
        ReportFigure(
            name=file_name(f"reliability_{model}"),
            title=f"Reliability of {model_name(model)}",
            caption="Share of fakes among the faces of a score, over 15 bins of it; on the diagonal scores are "
            f"probabilities. Bins of fewer than {LEAST} faces are left out. Solid: clean. Dashed: all faces attacked "
            f"by {grid.attack}. Legend: expected calibration error, clean → attacked.",
            figure=_figure(found, grid),
        )
        for model in grid.models
        if (found := of_model(grid, model))
    ]


def _figure(found: Mapping[str, Result], grid: ReportGrid) -> Figure:
    def draw(figure: Figure) -> None:
        axes: Axes = figure.subplots()
        handles = []
        for number_, (method, result) in enumerate(found.items()):
            entry = grid.methods.index(method) if method in grid.methods else number_
            colour, marker = COLOURS[entry % len(COLOURS)], MARKERS[entry % len(MARKERS)]
            attacked = result.is_attacked and result.attack == grid.attack
            setups = ("clean", "both")[: 1 + attacked]
            for setup in setups:
                mean, share, count = reliability(
                    setup_scores(result.predictions, setup), result.predictions["label"]
                )
                shown = count >= LEAST
                axes.plot(
                    mean[shown], share[shown], "-" if setup == "clean" else "--", color=colour, marker=marker,
                    markerfacecolor=colour if setup == "clean" else "white", markersize=3,
                )  # fmt: skip
            errors = [number(result.metrics["calibration"][setup]["ece"], 3) or UNDEFINED for setup in setups]
            handles.append(
                Line2D([], [], color=colour, marker=marker, label=f"{method} {' → '.join(errors)}")
            )
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.6, zorder=0)
        axes.set(xlim=(0, 1), ylim=(-0.03, 1.03), xlabel="Score", ylabel="Share of fakes")
        figure.legend(
            handles=[*handles, *states()], loc="outside upper center", ncols=2, frameon=False, columnspacing=0.6,
            handlelength=1.4, handletextpad=0.4,
        )  # fmt: skip

    return drawn(draw, height=2.7 + 0.14 * -(-(len(found) + 2) // 2))
