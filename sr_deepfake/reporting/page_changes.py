"""What the attack changed at each place of the grid: the numbers that the page's words and its map are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from sr_deepfake.reporting.report_cells import ReportCell
from sr_deepfake.reporting.report_grid import Place

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
        cell: the results.

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
    cell: ReportCell | None

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


def change_at(place: Place, metric: str, setup: str) -> Change | None:
    """What the attack changed at a place of the grid.

    Args:
        place: of the grid.
        metric: "fnr", "fpr" or "auc".
        setup: "both" or "fake".

    Returns:
        None where there are no attacked results, or the figure is undefined.
    """
    cell = place.attacked
    if cell is None or not cell.is_attacked:
        return None
    clean, attacked = cell.metrics["clean"][metric], cell.metrics[setup][metric]
    if clean is None or attacked is None:
        return None
    return Change(
        place.model,
        place.forgery,
        metric,
        setup,
        clean,
        attacked,
        interval_of(cell, "changes", setup, metric),
        (place.p_values or {}).get(metric) if setup == "both" else None,
        cell,
    )


def changes(places: Sequence[Place], metric: str, setup: str) -> list[Change]:
    """What the attack changed, over all places that have it."""
    found = (change_at(place, metric, setup) for place in places)
    return [change for change in found if change is not None]


def interval_of(cell: ReportCell, *names: str) -> tuple[float, float] | None:
    """The interval of a figure, by the names that it has in `metrics.json`; None where there is none."""
    found = cell.metrics.get("intervals")
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, list) or len(found) != 2 or None in found:
        return None
    return float(found[0]), float(found[1])
