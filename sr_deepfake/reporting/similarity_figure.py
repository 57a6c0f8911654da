"""Does a face that the attack changed more also move the detector more? SSIM against the change of score."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.metrics.correlation import changes, correlate
from sr_deepfake.reporting.figures import COLOURS
from sr_deepfake.reporting.paper_tables import interval
from sr_deepfake.reporting.report_cells import ReportCell
from sr_deepfake.reporting.report_figures import ReportFigure
from sr_deepfake.reporting.report_grid import ReportGrid
from sr_deepfake.reporting.score_figure import grid_of_panels
from sr_deepfake.reporting.table import UNDEFINED

POINTS = 400  # of a class are drawn at most, at even distances in the table
CLASSES = ((0, "pristine", COLOURS[0], "o"), (1, "fake", COLOURS[1], "^"))


def similarity_figure(grid: ReportGrid) -> ReportFigure | None:
    """The figure; None where nothing was attacked."""
    if not grid.attacked:
        return None
    return ReportFigure(
        name="ssim",
        title="SSIM and the change of score",
        caption="Each point is a face: how alike it is to itself attacked, and attacked less clean score. r: Pearson's "
        f"correlation over all faces, with its 95 % interval over videos. At most {POINTS} faces of a class are drawn.",
        figure=grid_of_panels(grid, _points, _legend, xlabel="SSIM", ylabel="change of score"),
    )


def _points(axes: Axes, cell: ReportCell) -> None:
    moved = changes(cell.predictions)["score"]
    labels, ssim = cell.predictions["label"].to_numpy(), cell.predictions["ssim"].to_numpy()
    axes.axhline(0, color="0.7", linewidth=0.6, zorder=0)
    for label, _, colour, marker in CLASSES:
        chosen = np.flatnonzero(labels == label)
        chosen = chosen[:: max(1, -(-len(chosen) // POINTS))]
        axes.scatter(
            ssim[chosen],
            moved[chosen],
            s=4,
            c=colour,
            marker=marker,
            alpha=0.5,
            linewidths=0,
            rasterized=True,
        )  # points as a picture: thousands of them would make the SVG heavy
    axes.set_ylim(-1.05, 1.9)
    axes.set_yticks([-1, 0, 1])
    axes.locator_params(axis="x", nbins=3)
    axes.text(0.03, 0.97, _correlation(cell), transform=axes.transAxes, va="top")


def _correlation(cell: ReportCell) -> str:
    """Pearson's r with its interval, or without where the results are of an older version."""
    stored = cell.metrics.get("correlation")
    if stored is not None:
        r = stored["pooled"]["ssim"]["score"]["pearson"]
    else:
        moved = changes(cell.predictions)["score"]
        r = float(correlate(cell.predictions["ssim"].to_numpy(), moved)["pearson"])
    if r is None or np.isnan(r):
        return f"r {UNDEFINED}"
    around = interval(cell, "correlation", "pooled", "ssim", "score", "pearson")
    words = f"r = {r:+.2f}"
    return words if around is None else f"{words}\n[{around[0]:+.2f}, {around[1]:+.2f}]"


def _legend(figure: Figure) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for _, name, colour, marker in CLASSES
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
