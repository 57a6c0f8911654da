"""Figure of FNR and FPR over the grid: a dumbbell from clean to attacked for each detector."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.reporting.figures.style import COLOURS, ReportFigure, drawn, label_rows
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import UNDEFINED, stars

RATES = ("fnr", "fpr")
CLEAN, ATTACKED = COLOURS[0], COLOURS[1]


def change_figure(grid: ReportGrid) -> ReportFigure | None:
    """The figure; None where nothing was attacked."""
    if not grid.attacked:
        return None
    rows = len(grid.shown) + len(grid.models)
    return ReportFigure(
        name="changes",
        title="FNR and FPR, clean and attacked",
        caption=f"Circle: clean. Diamond: all faces attacked by {grid.attack}. Stars: a significant change, * p < "
        f"0.05, ** p < 0.01, *** p < 0.001 (randomisation test by cluster, corrected by Holm's method). Bars: 95 % intervals.",
        figure=drawn(lambda figure: _draw(figure, grid), height=0.75 + 0.155 * rows),
    )


def _draw(figure: Figure, grid: ReportGrid) -> None:
    panels: list[Axes] = list(figure.subplots(1, len(RATES), sharey=True))
    rows = label_rows(panels, grid.models, grid.shown)
    for panel, rate in zip(panels, RATES, strict=True):
        for row, entry in zip(rows, grid.shown, strict=True):
            _dumbbell(panel, row, entry, rate)
        panel.set_xlabel(f"{rate.upper()} (%)")
        panel.margins(x=0.12)
        low, high = panel.get_xlim()
        panel.set_xlim(min(low, -0.04 * high), max(high, 1.0))
        panel.grid(axis="x", color="0.9", linewidth=0.5)
        panel.set_axisbelow(True)
    handles = [
        Line2D([], [], color=CLEAN, marker="o", markerfacecolor="white", linestyle="", label="clean"),
        Line2D([], [], color=ATTACKED, marker="D", linestyle="", label="attacked"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)


def _dumbbell(panel: Axes, row: int, entry: Entry, rate: str) -> None:
    clean, attacked = entry.figure("clean", rate), entry.figure("both", rate)
    if clean.value is None:
        panel.annotate(UNDEFINED, (0.02, row), xycoords=("axes fraction", "data"), va="center", color="0.4")
        return
    for figure, offset, colour in ((clean, -0.16, CLEAN), (attacked, 0.16, ATTACKED)):
        if figure.interval is not None:
            ends = [end * 100 for end in figure.interval]
            panel.plot(ends, [row + offset] * 2, color=colour, linewidth=0.7, alpha=0.6, zorder=1)
    if attacked.value is not None:
        panel.plot([clean.value * 100, attacked.value * 100], [row, row], color="0.6", linewidth=1.4, zorder=1)
        panel.plot(attacked.value * 100, row, marker="D", markersize=3.2, color=ATTACKED, zorder=3)
        right = max(clean.value, attacked.value, *(attacked.interval or (0.0,)))
        panel.annotate(stars(attacked.p), (right * 100, row), xytext=(3, -1.5), textcoords="offset points", va="center")
    panel.plot(
        clean.value * 100, row, marker="o", markersize=4.6, markerfacecolor="white", markeredgecolor=CLEAN, zorder=2
    )
