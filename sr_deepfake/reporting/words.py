"""The answer in words: sentences that are computed from the figures, and claim no more than these carry."""

from collections.abc import Sequence

from sr_deepfake.metrics.changes import RATES
from sr_deepfake.metrics.clusters import FEW
from sr_deepfake.metrics.figures import Figure
from sr_deepfake.reporting.control import Contribution
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import LOWER_IS_BETTER, show, show_change

SIGNIFICANT = 0.05
_LEARNED = 0.7  # clean AUC, below which a detector is near chance, and its changes say little
# Of one detector and of several, for a figure that got worse and for one that got better.
_SUBJECTS = {
    "fnr": ("misses more fakes", "miss more fakes", "misses fewer", "miss fewer"),
    "fpr": ("raises more false alarms", "raise more false alarms", "raises fewer", "raise fewer"),
    "auc": (
        "separates fakes less well (AUC)",
        "separate fakes less well (AUC)",
        "separates them better",
        "separate them better",
    ),
}

Found = Sequence[tuple[Entry, Figure]]


def answer(grid: ReportGrid, contributions: Sequence[Contribution] = ()) -> str:
    """Say in a few sentences whether the detectors survive, judged by the fakes that they miss."""
    found = changed(grid.attacked, "fnr")
    if not found:
        return "No detector of the grid has results under the attack yet, so there is nothing to conclude."
    under = f"under {grid.attack}, {_sentence(found, 'fnr')}"
    start = f"In this illustration, {under}" if grid.illustration else f"{under[0].upper()}{under[1:]}"
    return " ".join([start, *_network(found, contributions)])


def conclusions(grid: ReportGrid) -> list[str]:
    """Say what else the grid shows, what was tested, and what argues against relying on it; a sentence or two each."""
    said = []
    for metric in ("fpr", "auc"):
        if found := changed(grid.attacked, metric):
            sentence = _sentence(found, metric)
            said.append(f"{sentence[0].upper()}{sentence[1:]}")
    return said + _few(grid) + _corrected(grid) + _weak(grid) + _similarity(grid) + _tested(grid)


def changed(entries: Sequence[Entry], metric: str, setup: str = "both") -> list[tuple[Entry, Figure]]:
    """The entries whose figure has a change, and that figure."""
    figures = [(entry, entry.figure(setup, metric)) for entry in entries]
    return [(entry, figure) for entry, figure in figures if figure.change is not None]


def harm(metric: str, figure: Figure) -> float:
    """The change of a figure, positive where the detector got worse."""
    change = figure.change or 0.0
    return change if metric in LOWER_IS_BETTER else -change


def worst(found: Found, metric: str) -> tuple[Entry, Figure]:
    """The change that is worst for a detector: of those that exclude 0, where there are some."""
    sure = [pair for pair in found if pair[1].excludes_zero and harm(metric, pair[1]) > 0]
    return max(sure or found, key=lambda pair: harm(metric, pair[1]))


def clean_of(figure: Figure) -> float | None:
    """The clean figure, from the attacked one and its change."""
    return None if figure.value is None or figure.change is None else figure.value - figure.change


def _sentence(found: Found, metric: str) -> str:
    """Count the detectors that got worse by more than chance, and name the largest change."""
    one, several, one_better, several_better = _SUBJECTS[metric]
    count = len(found)
    judged = [(entry, figure) for entry, figure in found if figure.change_interval is not None]
    worsened = [pair for pair in judged if pair[1].excludes_zero and harm(metric, pair[1]) > 0]
    improved = [pair for pair in judged if pair[1].excludes_zero and harm(metric, pair[1]) < 0]
    entry, largest = worst(found, metric)
    if worsened:
        who = f"{len(worsened)} of {count} detectors" if count > 1 else "the detector"
        words = f"{who} {one if len(worsened) == 1 else several}: the 95 % interval of the change excludes 0."
    elif judged:
        whom = f"any of {count} detectors" if count > 1 else "the detector"
        words = f"there is no evidence that {whom} {one}."
    else:
        words = f"no change of {metric.upper()} can be shown: each class is of one cluster, which has no interval."
    if harm(metric, largest) > 0:
        change = show_change(largest)
        ends = f"from {show(clean_of(largest))} to {show(largest.value)} %"
        of_what = "of these changes" if worsened and count > 1 else "change"
        words += f" The largest {of_what} is {change} points, {ends}, of {entry.name}."
    if improved:
        words += f" {len(improved)} of {count} {one_better if len(improved) == 1 else several_better}."
    if 0 < len(judged) < count:
        words += f" {count - len(judged)} of {count} have no interval and are not judged."
    return words


def _network(found: Found, contributions: Sequence[Contribution]) -> list[str]:
    """How much of the largest change is the network's, where there is a control."""
    entry, figure = worst(found, "fnr")
    own = [each for each in contributions if each.entry.name == entry.name]
    if not own or harm("fnr", figure) <= 0:
        return []
    parts = [f"{show_change(each.figure('fnr'))} are the network's (more than {each.control})" for each in own]
    return [f"Of the {show(figure.change, 'points').lstrip('+')} points, {'; '.join(parts)}."]


def _few(grid: ReportGrid) -> list[str]:
    found = [entry.metrics.counts for entry in grid.shown]
    fewest = min((n for each in found for n in (each.clusters_pristine, each.clusters_fake) if n), default=FEW)
    if fewest >= FEW:
        return []
    return [f"Only {fewest} clusters of people: below {FEW}, intervals are too narrow and tests too weak to rely on."]


def _corrected(grid: ReportGrid) -> list[str]:
    values = [p for entry in grid.attacked for rate in RATES if (p := entry.figure("both", rate).p) is not None]
    if not values:
        return []
    kept = sum(value < SIGNIFICANT for value in values)
    return [
        f"Each interval is for itself. Corrected for all {len(values)} tests of FNR and FPR at once (randomisation test by "
        f"cluster, Holm's method), {kept or 'none'} of the changes {'remains' if kept == 1 else 'remain'} significant at "
        f"{SIGNIFICANT:g}."
    ]


def _weak(grid: ReportGrid) -> list[str]:
    clean = [(entry, entry.figure("clean", "auc").value) for entry in grid.attacked]
    weak = [f"{entry.name} ({show(value)} %)" for entry, value in clean if value is not None and value < _LEARNED]
    if not weak:
        return []
    return [f"Near chance on clean faces already, so that their changes say little (clean AUC): {', '.join(weak)}."]


def _similarity(grid: ReportGrid) -> list[str]:
    ranges = []
    for metric, unit in (("ssim", ""), ("psnr", "dB")):
        setups = ("similarity/pristine", "similarity/fake")
        figures = [entry.figure(setup, metric) for entry in grid.attacked for setup in setups]
        values = [figure.value for figure in figures if figure.value is not None]
        if values:
            ends = list(dict.fromkeys(show(end, unit) for end in (min(values), max(values))))
            ranges.append(f"{metric.upper()} {' to '.join(ends)}{' dB' if unit else ''}")
    return [f"Similarity of attacked and clean faces: mean {', '.join(ranges)}."] if ranges else []


def _tested(grid: ReportGrid) -> list[str]:
    counts = [entry.metrics.counts for entry in grid.attacked]
    if not counts:
        return []
    ranges = []
    for name in ("faces", "videos", "clusters"):
        found = sorted({getattr(count, name) for count in counts})
        ranges.append(f"{found[0]:,}" if len(found) == 1 else f"{found[0]:,} to {found[-1]:,}")
    return [
        f"Tested on {grid.data}: {ranges[0]} faces of {ranges[1]} videos in {ranges[2]} clusters for each detector, trained by "
        f"protocol {grid.protocol}. A fake is a score above 0.5. Intervals are over clusters (videos of the same people), "
        "since their faces are not independent."
    ]
