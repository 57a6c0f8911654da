"""Figures of FNR and FPR: from clean to attacked for each detector, and as an attack gets stronger."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.figures.style import COLOURS, LINES, MARKERS, PAGE, ReportFigure, drawn, label_rows
from sr_deepfake.reporting.grid import Entry, ReportGrid, newest_first
from sr_deepfake.reporting.numbers import UNDEFINED, stars

RATES = ("fnr", "fpr")
CLEAN, ATTACKED = COLOURS[0], COLOURS[1]
_COLUMNS = 4  # of panels
Strengths = dict[str, list[Result]]  # label → its results


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
        figure=drawn(lambda figure: _dumbbells(figure, grid), height=0.75 + 0.155 * rows),
    )


def _dumbbells(figure: Figure, grid: ReportGrid) -> None:
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


def strength_figure(results: Sequence[Result], grid: ReportGrid) -> ReportFigure | None:
    """A panel for each attack that has two strengths or more on the same detectors."""
    found = strengths(
        [result for result in results if result.run.is_plain and result.run.fits(grid.data, grid.protocol)]
    )
    if not found:
        return None
    rows = -(-len(found) // _COLUMNS)
    counts = ", ".join(f"{family} {len(next(iter(parts.values())))}" for family, parts in found.items())
    return ReportFigure(
        name="strength",
        title="Strength of the attack",
        caption="Rates under attacks of one kind, from the mildest to the strongest by SSIM; means over the detectors and "
        f"forgery methods that met all strengths ({counts}). All faces attacked.",
        figure=drawn(lambda figure: _strengths(figure, found), height=0.55 + 1.75 * rows, width=PAGE),
    )


def strengths(results: Sequence[Result]) -> dict[str, Strengths]:
    """Attacks that were run in two strengths or more: kind → label → results of the same detectors and forgery methods."""
    kinds: dict[str, dict[str, dict[tuple[str, str], Result]]] = defaultdict(lambda: defaultdict(dict))
    for result in sorted(results, key=newest_first):
        if result.is_attacked:
            detector = (result.run.detector, result.run.forgery)
            kinds[result.run.attack.kind][result.run.attack.name].setdefault(detector, result)
    found: dict[str, Strengths] = {}
    for kind, by_label in sorted(kinds.items()):
        # The detectors that met most strengths; then the strengths that all of these met.
        counts = Counter(detector for met in by_label.values() for detector in met)
        chosen = sorted(detector for detector, count in counts.items() if count == max(counts.values()))
        labels = {
            label: [met[detector] for detector in chosen]
            for label, met in by_label.items()
            if met.keys() >= set(chosen)
        }
        if len(labels) > 1:
            found[kind] = dict(sorted(labels.items(), key=lambda item: -_mean_ssim(item[1])))
    return found


def _mean_ssim(results: Sequence[Result]) -> float:
    return float(np.mean([result.predictions["ssim"].mean() for result in results]))


def _strengths(figure: Figure, found: dict[str, Strengths]) -> None:
    panels: Any = figure.subplots(-(-len(found) // _COLUMNS), min(len(found), _COLUMNS), sharey=True, squeeze=False)
    for panel in panels.flat[len(found) :]:
        panel.set_visible(False)
    for panel, (kind, parts) in zip(panels.flat, found.items(), strict=False):
        _panel(panel, kind, parts)
    for panel in panels[:, 0]:
        panel.set_ylabel("rate (%)")
        panel.set_ylim(bottom=0)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)


def _panel(axes: Axes, kind: str, parts: Strengths) -> None:
    ticks = np.arange(len(parts) + 1)
    for number, rate in enumerate(RATES):
        clean = _mean([result.metrics.value("clean", rate) for results in parts.values() for result in results])
        attacked = [_mean([result.metrics.value("both", rate) for result in results]) for results in parts.values()]
        style: Any = {"linestyle": LINES[number], "marker": MARKERS[number], "color": COLOURS[1 - number]}
        axes.plot(ticks, [clean, *attacked], label=rate.upper(), **style)
    axes.set_title(kind)
    axes.set_xticks(ticks, ["clean", *(results[0].run.attack.strength or name for name, results in parts.items())])


def _mean(fractions: Sequence[float | None]) -> float:
    known = [100 * value for value in fractions if value is not None]
    return float(np.mean(known)) if known else float("nan")
