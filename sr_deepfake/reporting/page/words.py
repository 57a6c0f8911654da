"""The page's answer in words: sentences that are computed from the numbers, and claim no more than these carry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.numbers import interval_words, model_name, percent, points, signed
from sr_deepfake.reporting.page.heat_map import Change, changes
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.tables import change_of

SIGNIFICANT = 0.05
# A detector below this AUC on clean faces is near guessing, and its changes say little.
_LEARNED = 0.7
# What is said of detectors whose figure got worse, of one and of several, and of those whose figure got better.
_SUBJECTS = {
    "fnr": ("misses more fakes", "miss more fakes", "misses fewer", "miss fewer"),
    "fpr": ("raises more false alarms", "raise more false alarms", "raises fewer", "raise fewer"),
    "auc": (
        "tells fakes less well (AUC)",
        "tell fakes less well (AUC)",
        "tells them better",
        "tell them better",
    ),
}


@dataclass(frozen=True)
class Tile:
    """The change of a figure that is worst for a detector.

    Attributes:
        label: which figure.
        value: the change in percentage points, "none" where no detector fares worse.
        detail: from where to where, with the interval.
        where: of which detector; empty without one.
    """

    label: str
    value: str
    detail: str
    where: str = ""


def answer(report: Report) -> str:
    """Say in two sentences whether the detectors survive, judged by the fakes that they miss."""
    found = changes(report.grid.entries, "fnr", "both")
    if not found:
        return "No detector of the grid has results under the attack yet, so there is nothing to conclude."
    under = f"under {report.grid.attack}, {_sentence(found)}"
    return f"In this illustration, {under}" if report.illustration else f"{under[0].upper()}{under[1:]}"


def conclusions(report: Report) -> list[str]:
    """Say what else the grid shows, what was tested, and what speaks against relying on it; a sentence or two each."""
    grid = report.grid
    said = []
    for metric, setup in (("fpr", "both"), ("auc", "both")):
        found = changes(grid.entries, metric, setup)
        if found:
            sentence = _sentence(found)
            said.append(f"{sentence[0].upper()}{sentence[1:]}")
    said += _corrected(grid) + _weak(grid) + _likeness(grid) + _seeds(grid) + _tested(grid)
    return said


def _seeds(grid: ReportGrid) -> list[str]:
    """How far the change depends on the seed of the training, where several were run."""
    told = []
    for entry in grid.entries:
        known = [change for seed in entry.seeds if (change := change_of(seed, "both", "fnr")) is not None]
        if len(known) > 1:
            mean, deviation = signed(fmean(known), 1, 100), 100 * stdev(known)
            who = f"{model_name(entry.model)} on {entry.forgery}"
            told.append(f"{who} {mean} ± {deviation:.1f} ({len(known)} seeds)")
    if not told:
        return []
    words = "; ".join(told)
    return [
        f"Change of FNR in points, mean and standard deviation over seeds: {words}. The rest is of the newest."
    ]


def tiles(grid: ReportGrid) -> list[Tile]:
    """For each of FNR, FPR and AUC, the change that is worst for a detector."""
    labels = {
        "fnr": "Missed fakes (FNR), largest rise",
        "fpr": "False alarms (FPR), largest rise",
        "auc": "AUC, largest fall",
    }
    shown = []
    for metric, label in labels.items():
        found = changes(grid.entries, metric, "both")
        if not found:
            continue
        worst = max(found, key=lambda change: change.harm)
        if not worst.is_worse:
            shown.append(Tile(label, "none", "No detector fares worse."))
            continue
        detail = f"{percent(worst.clean)} → {percent(worst.attacked)} %; {_interval(worst)}"
        shown.append(Tile(label, points(worst.change), detail, _detector(worst)))
    return shown


def _sentence(found: Sequence[Change]) -> str:
    """Count the detectors that fare worse by more than chance, and name the largest change."""
    one, several, one_better, several_better = _SUBJECTS[found[0].metric]
    count = len(found)
    largest = max(found, key=lambda change: change.harm)
    judged = [change for change in found if change.interval is not None]
    worsened = [change for change in judged if change.is_evident and change.is_worse]
    improved = [change for change in judged if change.is_evident and not change.is_worse]
    if worsened:
        largest = max(worsened, key=lambda change: change.harm)
        who = f"{len(worsened)} of {count} detectors" if count > 1 else "the detector"
        told = f"{who} {one if len(worsened) == 1 else several}: the 95 % interval of the change excludes 0."
    elif judged:
        whom = f"any of {count} detectors" if count > 1 else "the detector"
        told = f"there is no evidence that {whom} {one}."
    else:
        told = (
            f"no change of {found[0].metric.upper()} can be told from chance: the results have no intervals "
            "(evaluate.force=true scores them again, with intervals)."
        )
    if largest.is_worse:
        told += (
            f" The largest change is {points(largest.change)} points ({_interval(largest)}), from "
            f"{percent(largest.clean)} to {percent(largest.attacked)} %, of {_detector(largest)}."
        )
    if improved:
        told += f" {len(improved)} of {count} {one_better if len(improved) == 1 else several_better}."
    if 0 < len(judged) < count:
        told += f" {count - len(judged)} of {count} have no interval and are not judged."
    return told


def _interval(change: Change) -> str:
    return "no interval" if change.interval is None else f"95 % interval {interval_words(change.interval)}"


def _detector(change: Change) -> str:
    return f"{change.model} on {change.forgery}"


def _corrected(grid: ReportGrid) -> list[str]:
    values = [
        value
        for entry in grid.entries
        if entry.attacked is not None
        for value in (entry.p_values or {}).values()
        if not math.isnan(value)
    ]
    if not values:
        return []
    kept = sum(value < SIGNIFICANT for value in values)
    return [
        f"Each interval stands for itself. Corrected for all {len(values)} tests of FNR and FPR at once (exact McNemar "
        f"test by video, Holm), {kept or 'none'} of the changes {'remains' if kept == 1 else 'remain'} significant at "
        f"{SIGNIFICANT:g}."
    ]


def _weak(grid: ReportGrid) -> list[str]:
    weak = [
        (change.clean, _detector(change))
        for change in changes(grid.entries, "auc", "both")
        if change.clean < _LEARNED
    ]
    if not weak:
        return []
    listed = ", ".join(f"{name} ({percent(value)} %)" for value, name in weak)
    return [f"Near guessing on clean faces already, so that their changes say little (clean AUC): {listed}."]


def _likeness(grid: ReportGrid) -> list[str]:
    found = [
        similarity
        for entry in grid.entries
        if entry.attacked is not None and entry.attacked.is_attacked
        for similarity in entry.attacked.metrics["similarity"].values()
    ]
    ranges = []
    for name, form, unit in (("ssim", ".3f", ""), ("psnr", ".1f", " dB")):
        values = [row[name] for row in found if row.get(name) is not None]
        if values:
            low, high = format(min(values), form), format(max(values), form)
            ranges.append(
                f"{name.upper()} {low}{unit}" if low == high else f"{name.upper()} {low} to {high}{unit}"
            )
    return [f"Likeness of attacked and clean faces: mean {', '.join(ranges)}."] if ranges else []


def _tested(grid: ReportGrid) -> list[str]:
    counts = [entry.attacked.metrics["faces"] for entry in grid.entries if entry.attacked is not None]
    if not counts:
        return []
    faces, videos = (
        _range([count[name] for count in counts if name in count]) for name in ("faces", "videos")
    )
    return [
        f"Tested on {grid.data}: {faces} faces of {videos} videos for each detector, trained by protocol "
        f"{grid.protocol}. A fake is a score above 0.5. Intervals are bootstrapped over videos, since frames of a "
        "video are no independent witnesses."
    ]


def _range(counts: Sequence[int]) -> str:
    low, high = f"{min(counts):,}", f"{max(counts):,}"
    return low if low == high else f"{low} to {high}"
