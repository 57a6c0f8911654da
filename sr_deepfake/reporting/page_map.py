"""The page's map of the grid: what the attack changed for each model and forgery method, in words and in colour."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sr_deepfake.reporting.page_changes import Change, change_at, changes
from sr_deepfake.reporting.page_words import interval_words, percent, points
from sr_deepfake.reporting.report_grid import Place, ReportGrid

STEPS = 5  # of colour, to either side of no change
# A change as large as this has at least the strongest colour; so a grid of small changes does not look alarming.
_FULL = 0.05
VIEWS = {
    "fnr both": "Missed fakes (FNR)",
    "fpr both": "False alarms (FPR)",
    "auc both": "AUC, all faces attacked",
    "auc fake": "AUC, only fakes attacked",
}


@dataclass(frozen=True)
class Spot:
    """One model × forgery method on the map.

    Attributes:
        colour: class of the style sheet: "worse1" to "worse5", "better1" to "better5", "same", or "lacking".
        change: in percentage points; empty where it is lacking.
        detail: from where to where, %; why it is lacking otherwise.
        interval: of the change; empty where it is lacking.
        is_evident: whether the interval leaves 0 out.
        target: id of what the page tells of the results; empty where there are none.
    """

    colour: str
    change: str
    detail: str
    interval: str = ""
    is_evident: bool = False
    target: str = ""


@dataclass(frozen=True)
class MapView:
    """The map of one figure.

    Attributes:
        key: name of the view, from `VIEWS`.
        label: for readers.
        rows: for each model its name and spots, a spot for each method.
        legend: for each colour, from better to worse, the changes that it stands for, in percentage points.
    """

    key: str
    label: str
    rows: list[tuple[str, list[Spot]]]
    legend: list[tuple[str, str]]


def map_views(grid: ReportGrid, targets: Mapping[Path, str]) -> list[MapView]:
    """Lay out the map of each figure.

    Args:
        grid: of the report.
        targets: for each folder of results, the id of what the page tells of it.
    """
    views = []
    for key, label in VIEWS.items():
        metric, setup = key.split()
        full = max([_FULL, *(abs(change.change) for change in changes(grid.places, metric, setup))])
        rows = [
            (
                model,
                [
                    _spot(place, change_at(place, metric, setup), full, targets)
                    for place in grid.places
                    if place.model == model
                ],
            )
            for model in grid.models
        ]
        views.append(MapView(key, label, rows, _legend(full)))
    return views


def colour_of(harm: float, full: float) -> str:
    """The colour of a change, by how far it is from none.

    Args:
        harm: the change as a fraction, positive where the detector fares worse.
        full: the size of change that has the strongest colour.

    Example:
        >>> [colour_of(harm, 0.10) for harm in (-0.10, 0.0004, 0.011, 0.02, 0.10)]
        ['better5', 'same', 'worse1', 'worse1', 'worse5']
    """
    if abs(harm) < 0.0005:  # shown as 0.0
        return "same"
    # Less the last digits: 0.06 / 0.1 × 5 is a little above 3.
    step = min(STEPS, int(-(-round(abs(harm) / full * STEPS, 6) // 1)))
    return f"{'worse' if harm > 0 else 'better'}{step}"


def _spot(place: Place, change: Change | None, full: float, targets: Mapping[Path, str]) -> Spot:
    if change is None or change.cell is None:
        undefined = place.attacked is not None and place.attacked.is_attacked
        return Spot("lacking", "", "undefined" if undefined else "missing")
    return Spot(
        colour_of(change.harm, full),
        points(change.change),
        f"{percent(change.clean)} → {percent(change.attacked)}",
        interval_words(change.interval),
        change.is_evident,
        targets.get(change.cell.folder, ""),
    )


def _legend(full: float) -> list[tuple[str, str]]:
    sizes = [f"{100 * full * step / STEPS:.1f}" for step in range(1, STEPS + 1)]
    better = [(f"better{step}", sizes[step - 1]) for step in range(STEPS, 0, -1)]
    return [*better, ("same", "0"), *[(f"worse{step}", sizes[step - 1]) for step in range(1, STEPS + 1)]]
