"""The page's heat map: how the attack changed each detector's rates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import interval_words, percent, points

# Figures of which more is worse for the detector; of the others less is.
_ERRORS = ("fnr", "fpr")


@dataclass(frozen=True)
class Change:
    """How a figure of one detector moved from clean to attacked.

    Attributes:
        model: short name.
        forgery: the method, trained and tested on.
        metric: "fnr", "fpr" or "auc".
        setup: "both" (all faces attacked) or "fake" (only fakes).
        clean: fraction.
        attacked: fraction.
        interval: 95 %, of attacked − clean; None where the results have none.
        p: of McNemar's test by video, corrected for all tests of the grid; None without a test.
        result: the results.

    Example:
        >>> change = Change("swin", "FaceSwap", "auc", "both", 0.98, 0.90, (-0.12, -0.01), None, None)
        >>> round(change.change, 2), change.is_evident, change.is_worse
        (-0.08, True, True)
    """

    model: str
    forgery: str
    metric: str
    setup: str
    clean: float
    attacked: float
    interval: tuple[float, float] | None
    p: float | None
    result: Result | None

    @property
    def change(self) -> float:
        """Attacked − clean."""
        return self.attacked - self.clean

    @property
    def harm(self) -> float:
        """The change, positive where the detector fares worse."""
        return self.change if self.metric in _ERRORS else -self.change

    @property
    def is_worse(self) -> bool:
        """Whether the detector fares worse."""
        return self.harm > 0

    @property
    def is_evident(self) -> bool:
        """Whether the interval is known and leaves 0 out."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def change_at(entry: Entry, metric: str, setup: str) -> Change | None:
    """Changes of one entry of the grid.

    Args:
        entry: of the grid.
        metric: "fnr", "fpr" or "auc".
        setup: "both" or "fake".

    Returns:
        None where there are no attacked results, or the figure is undefined.
    """
    result = entry.attacked
    if result is None or not result.is_attacked:
        return None
    clean, attacked = result.metrics["clean"][metric], result.metrics[setup][metric]
    if clean is None or attacked is None:
        return None
    return Change(
        entry.model,
        entry.forgery,
        metric,
        setup,
        clean,
        attacked,
        result.interval("changes", setup, metric),
        (entry.p_values or {}).get(metric) if setup == "both" else None,
        result,
    )


def changes(entries: Sequence[Entry], metric: str, setup: str) -> list[Change]:
    """Summary of the changes over all entries that have them."""
    found = (change_at(entry, metric, setup) for entry in entries)
    return [change for change in found if change is not None]


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
class Square:
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
        rows: for each model its name and squares, a square for each method.
        legend: for each colour, from better to worse, the changes that it stands for, in percentage points.
    """

    key: str
    label: str
    rows: list[tuple[str, list[Square]]]
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
        full = max([_FULL, *(abs(change.change) for change in changes(grid.entries, metric, setup))])
        rows = [
            (
                model,
                [
                    _square(entry, change_at(entry, metric, setup), full, targets)
                    for entry in grid.entries
                    if entry.model == model
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


def _square(entry: Entry, change: Change | None, full: float, targets: Mapping[Path, str]) -> Square:
    if change is None or change.result is None:
        undefined = entry.attacked is not None and entry.attacked.is_attacked
        return Square("lacking", "", "undefined" if undefined else "missing")
    return Square(
        colour_of(change.harm, full),
        points(change.change),
        f"{percent(change.clean)} → {percent(change.attacked)}",
        interval_words(change.interval),
        change.is_evident,
        targets.get(change.result.folder, ""),
    )


def _legend(full: float) -> list[tuple[str, str]]:
    sizes = [f"{100 * full * step / STEPS:.1f}" for step in range(1, STEPS + 1)]
    better = [(f"better{step}", sizes[step - 1]) for step in range(STEPS, 0, -1)]
    return [*better, ("same", "0"), *[(f"worse{step}", sizes[step - 1]) for step in range(1, STEPS + 1)]]
