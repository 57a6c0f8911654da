"""FNR and FPR as an attack gets stronger, where it was run in several strengths."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.figures.style import COLOURS, LINES, MARKERS, PAGE, ReportFigure, drawn
from sr_deepfake.reporting.grid import ReportGrid, newest_first

RATES = ("fnr", "fpr")
_COLUMNS = 4  # of panels
Strengths = dict[str, list[Result]]  # label → its results


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
        caption="Rates under attacks of one kind, from the mildest to the strongest by SSIM; means over the detectors "
        f"that met all strengths ({counts}). All faces attacked.",
        figure=drawn(lambda figure: _draw(figure, found), height=0.55 + 1.75 * rows, width=PAGE),
    )


def strengths(results: Sequence[Result]) -> dict[str, Strengths]:
    """Attacks that were run in two strengths or more: kind → label → results of the same detectors."""
    kinds: dict[str, dict[str, dict[str, Result]]] = defaultdict(lambda: defaultdict(dict))
    for result in sorted(results, key=newest_first):
        if result.is_attacked:
            kinds[result.run.attack.kind][result.run.attack.name].setdefault(result.run.detector, result)
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


def _draw(figure: Figure, found: dict[str, Strengths]) -> None:
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
