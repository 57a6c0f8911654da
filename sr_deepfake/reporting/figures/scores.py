"""Scores clean and attacked, and SSIM against the change of score: a panel for each detector of the grid."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.classification import THRESHOLD
from sr_deepfake.reporting.figures.style import COLOURS, PAGE, ReportFigure, drawn
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import show_value
from sr_deepfake.reporting.published import model_name

BINS = 20
CLASSES = ((1, "fake", COLOURS[1], "^"), (0, "pristine", COLOURS[0], "o"))
_LINEAR = 1.0  # %, up to which the axis is; most scores are near 0 or 1, and the others are the story
POINTS = 400  # of a class are drawn at most, at even distances in the table

Fill = Callable[[Axes, Result], None]
Handles = Callable[[], list[Artist]]  # made in the style of the figures


def score_figures(grid: ReportGrid) -> list[ReportFigure]:
    """Histograms of scores, and SSIM against the change of score; none where nothing was attacked."""
    if not grid.attacked:
        return []
    scores = ReportFigure(
        name="scores",
        title="Scores, clean and attacked",
        caption=f"Share of the class's faces by score, in {BINS} bins, on a logarithmic scale. Upwards: fakes. "
        f"Downwards: pristine faces. Filled: clean. Dashed: attacked by {grid.attack}. A score above {THRESHOLD:g} "
        "(dotted) means fake.",
        figure=_grid_of_panels(grid, _scores, _score_handles, xlabel="score", ylabel="faces (%)"),
    )
    similarity = ReportFigure(
        name="ssim",
        title="SSIM and the change of score",
        caption="Each point is a face: SSIM of clean and attacked, and attacked less clean score. r: Pearson's "
        f"correlation over all faces, with its 95 % interval. At most {POINTS} faces of a class are drawn.",
        figure=_grid_of_panels(grid, _points, _point_handles, xlabel="SSIM", ylabel="change of score"),
    )
    return [scores, similarity]


def _grid_of_panels(grid: ReportGrid, fill: Fill, handles: Handles, xlabel: str, ylabel: str) -> Figure:
    """A row of panels for each model, a column for each method; empty where results are missing."""

    def draw(figure: Figure) -> None:
        panels: Any = figure.subplots(len(grid.models), len(grid.methods), sharex=True, sharey=True, squeeze=False)
        for (_, _, entry), panel in zip(grid.squares, panels.flat, strict=True):
            if entry is None or not entry.is_attacked:
                panel.text(0.5, 0.5, "missing", transform=panel.transAxes, ha="center", va="center", color="0.4")
            else:
                fill(panel, entry.result)
        for panel, method in zip(panels[0], grid.methods, strict=True):
            panel.set_title(method)
        for panel, model in zip(panels[:, 0], grid.models, strict=True):
            panel.set_ylabel(f"{model_name(model)}\n{ylabel}")
        for panel in panels[-1]:
            panel.set_xlabel(xlabel)
        shown = handles()
        figure.legend(handles=shown, loc="outside upper center", ncols=len(shown), frameon=False)

    return drawn(draw, height=0.85 + 1.05 * len(grid.models), width=PAGE)


def _scores(axes: Axes, result: Result) -> None:
    edges = np.linspace(0, 1, BINS + 1)
    for label, _, colour, _ in CLASSES:
        direction = 1 if label else -1
        faces = result.predictions[result.predictions["label"] == label]
        if faces.empty:
            continue
        clean, attacked = (
            direction * 100 * np.histogram(faces[name], edges)[0] / len(faces) for name in ("score", "score_attacked")
        )
        axes.stairs(clean, edges, fill=True, color=colour, alpha=0.35, linewidth=0)
        axes.stairs(attacked, edges, color=colour, linestyle="--", linewidth=0.9)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.axvline(THRESHOLD, color="0.4", linestyle=":", linewidth=0.8)
    axes.set_yscale("symlog", linthresh=_LINEAR)
    axes.set(xlim=(0, 1), ylim=(-150, 150))
    axes.set_yticks([-100, -10, 0, 10, 100], ["100", "10", "0", "10", "100"])
    axes.set_yticks([], minor=True)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _score_handles() -> list[Artist]:
    handles: list[Artist] = []
    for _, name, colour, _ in CLASSES:
        handles.append(Patch(color=colour, alpha=0.35, linewidth=0, label=f"{name}, clean"))
        handles.append(Line2D([], [], color=colour, linestyle="--", label=f"{name}, attacked"))
    return handles


def _points(axes: Axes, result: Result) -> None:
    moved = (result.predictions["score_attacked"] - result.predictions["score"]).to_numpy()
    labels, ssim = result.predictions["label"].to_numpy(), result.predictions["ssim"].to_numpy()
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    for label, _, colour, marker in reversed(CLASSES):
        chosen = np.flatnonzero(labels == label)
        chosen = chosen[:: max(1, -(-len(chosen) // POINTS))]
        axes.scatter(
            ssim[chosen], moved[chosen], s=4, c=colour, marker=marker, alpha=0.5, linewidths=0, rasterized=True
        )  # points as a picture: thousands of them would make the SVG heavy
    axes.set_ylim(-1.05, 1.9)
    axes.set_yticks([-1, 0, 1])
    axes.locator_params(axis="x", nbins=3)
    r = show_value(result.metrics.figure("correlation", "ssim_pearson"), "r")
    axes.text(0.03, 0.97, f"r = {r}".replace(" [", "\n["), transform=axes.transAxes, va="top")


def _point_handles() -> list[Artist]:
    return [
        Line2D([], [], color=colour, marker=marker, ls="", label=name) for _, name, colour, marker in reversed(CLASSES)
    ]
