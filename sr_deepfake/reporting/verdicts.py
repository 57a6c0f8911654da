"""The paper's own sentences, judged by these results: holds, does not hold, cannot be said."""

from collections.abc import Sequence

import numpy as np

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.metrics.classification import THRESHOLD, Array
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.figures import Figure
from sr_deepfake.metrics.setups import RESAMPLES, SEED, percentile_interval
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import UNDEFINED, show, show_change, show_value
from sr_deepfake.reporting.published import (
    CORRELATION,
    CORRELATION_ATTACK,
    METHODS,
    MODELS,
    PRISTINE,
    published_similarity,
)
from sr_deepfake.reporting.table import ReportTable, Row
from sr_deepfake.reporting.tables import caption, similarity_of
from sr_deepfake.reporting.words import changed

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "cannot be said"
CORRELATION_SIDE = 224  # px of the published correlation's faces
# Section 5.1: the largest rises (with their detector, from tables 1 and 2), and the methods that rise most.
LARGEST = {"fnr": (0.187, "Resnet50 on FaceShifter"), "fpr": (0.144, "XceptionNet on NeuralTextures")}
MOST = {"fnr": ("Face2Face", "FaceSwap", "FaceShifter"), "fpr": ("Deepfakes", "NeuralTextures")}
_LABEL = {"fnr": 1, "fpr": 0}
_SSIM = (0.965, 0.975)  # what rounds to "around 0.97"


def verdict_table(
    grid: ReportGrid, correlated: Sequence[Result], labels: Sequence[str] = (), prefix: str = ""
) -> ReportTable:
    """One row a sentence of the paper: what these results say of it, with the interval that decides."""
    rows: list[Row] = [
        *(_largest(grid, metric) for metric in LARGEST),
        *(_most(grid, metric) for metric in MOST),
        *(_always_falls(grid, metric) for metric in ("accuracy", "auc")),
        _similar(grid),
        _uncorrelated(correlated),
    ]
    return ReportTable(
        name="verdicts_paper",
        title=f"{prefix}The paper's sentences",
        columns=["The paper says", "Here", "Verdict"],
        rows=rows,
        caption=caption(grid, "Judged by 95 % intervals; changes are in points, all faces attacked."),
        text_columns=3,
        remarks=[
            "A published number holds where it is within the interval; a sentence holds where the whole interval agrees, and "
            "does not hold where the whole interval disagrees. The paper writes per cent where it means points. Exceptions in "
            "its own tables: XceptionNet on NeuralTextures, whose FNR falls from 13.1 to 9.8, and whose accuracy (89.8 to "
            "91.5) and AUC (95.9 to 96.5) rise where fakes alone are attacked.",
            *labels,
        ],
    )


def is_published_correlation(result: Result) -> bool:
    """Whether results are of what the published correlation was computed from: `experiment=correlation`."""
    run = result.run
    own = run.protocol == "authors_code" and run.trained_on == run.forgery and run.defence == UNDEFENDED
    made = run.attack.kind_and_strength == CORRELATION_ATTACK and run.test_side == CORRELATION_SIDE
    return own and made and result.is_attacked


def judge(interval: tuple[float, float] | None, low: float, high: float) -> str:
    """Whether an interval is within a range (holds), outside it (does not hold), or neither (cannot be said).

    >>> judge((0.01, 0.05), -0.1, 0.1), judge((0.2, 0.3), -0.1, 0.1), judge((0.05, 0.2), -0.1, 0.1)
    ('holds', 'does not hold', 'cannot be said')
    """
    if interval is None:
        return UNKNOWN
    if low <= interval[0] and interval[1] <= high:
        return HOLDS
    return FAILS if interval[1] < low or interval[0] > high else UNKNOWN


def _rises(interval: tuple[float, float] | None) -> str:
    """Whether a change is above 0: an interval that touches 0 says neither."""
    if interval is None:
        return UNKNOWN
    return HOLDS if interval[0] > 0 else FAILS if interval[1] < 0 else UNKNOWN


def _all(verdicts: Sequence[str], is_whole: bool = True) -> str:
    """Whether a sentence holds of all: one that fails contradicts it, and a part of the grid cannot confirm it."""
    if FAILS in verdicts:
        return FAILS
    return HOLDS if set(verdicts) == {HOLDS} and is_whole else UNKNOWN


def _is_whole(grid: ReportGrid) -> bool:
    found = {(entry.model, entry.method) for entry in _papers(grid)}
    return {(model, method) for model in MODELS for method in METHODS} <= found


def _papers(grid: ReportGrid) -> list[Entry]:
    own = [entry for entry in grid.attacked if not entry.result.run.is_external]
    return [entry for entry in own if entry.model in MODELS and entry.method in METHODS]


def _rises_of(grid: ReportGrid, metric: str) -> list[tuple[Entry, Figure]]:
    """The changes of a figure of the paper's detectors, the largest rise first."""
    return sorted(changed(_papers(grid), metric), key=lambda pair: -(pair[1].change or 0.0))


def _largest(grid: ReportGrid, metric: str) -> Row:
    value, where = LARGEST[metric]
    sentence = f"{metric.upper()} rises by up to {show(value, 'points')} points ({where})"
    known = _rises_of(grid, metric)
    if not known:
        return [sentence, UNDEFINED, UNKNOWN]
    entry, figure = known[0]
    around = figure.change_interval
    verdict = UNKNOWN if around is None else HOLDS if around[0] <= value <= around[1] else FAILS
    return [sentence, f"{show_change(figure)} ({entry.name})", verdict if _is_whole(grid) else UNKNOWN]


def _most(grid: ReportGrid, metric: str) -> Row:
    """Whether the named methods rise more, in the mean over models, than the others do: the smallest against the largest."""
    sentence = f"{metric.upper()} rises most for {', '.join(MOST[metric])}"
    changes = _resampled_changes(_papers(grid), metric)
    if not _is_whole(grid) or changes is None:
        return [sentence, UNDEFINED, UNKNOWN]
    named = np.min([changes[method] for method in MOST[metric]], axis=0)
    others = np.max([changes[method] for method in METHODS if method not in MOST[metric]], axis=0)
    gap = named - others  # the first value is of the faces as they are
    interval = percentile_interval(gap[1:])
    here = f"least of these less most of the others: {show(float(gap[0]), 'points', interval)}"
    return [sentence, here, _rises(interval)]


def _resampled_changes(entries: Sequence[Entry], metric: str) -> dict[str, Array] | None:
    """Method → change of a rate, mean over models: as it is, then in each resample, drawn alike for all.

    None where clusters differ.
    """
    found: dict[str, list[Array]] = {}
    names: list[str] = []
    for entry in entries:
        parts = []
        for seed in entry.result.seeds or (entry.result,):
            table = seed.predictions
            own = sorted(table["cluster"].unique())
            clusters = Clusters.of(table)
            if clusters.way != "cluster" or (names and own != names):
                return None
            if not names:
                names = own
                drawn = np.concatenate([np.ones((1, len(own))), *clusters.draw(RESAMPLES, SEED)])
            chosen = (table["label"] == _LABEL[metric]).to_numpy()
            wrong = [(table[name] > THRESHOLD).to_numpy() != _LABEL[metric] for name in ("score", "score_attacked")]
            change = wrong[1].astype(float) - wrong[0]
            sums = np.stack([np.bincount(clusters.units, part, len(own)) for part in (chosen * change, chosen * 1.0)])
            total, count = np.einsum("rc,mc->mr", drawn, sums)
            parts.append(total / count)
        found.setdefault(entry.method, []).append(np.mean(parts, axis=0))
    return {method: np.mean(of_models, axis=0) for method, of_models in found.items()}


def _always_falls(grid: ReportGrid, metric: str) -> Row:
    sentence = f"{'AUC' if metric == 'auc' else 'Accuracy'} always falls"
    known = _rises_of(grid, metric)
    if not known:
        return [sentence, UNDEFINED, UNKNOWN]
    least, figure = known[0]
    fallen = [each.change_interval and (-each.change_interval[1], -each.change_interval[0]) for _, each in known]
    verdicts = [_rises(interval) for interval in fallen]
    here = f"falls in {verdicts.count(HOLDS)} of {len(known)}; least: {show_change(figure)} ({least.name})"
    return [sentence, here, _all(verdicts, _is_whole(grid))]


def _similar(grid: ReportGrid) -> Row:
    published = [ssim for ssim, _ in published_similarity().values()]
    sentence = f"SSIM is around 0.97 ({min(published):.3f} to {max(published):.3f})"
    found = {name: figures["ssim_224"] for name, figures in similarity_of(grid).items() if "ssim_224" in figures}
    if not found:
        return [sentence, UNDEFINED, UNKNOWN]
    here = "; ".join(f"{name} {show_value(figure, '')}" for name, figure in found.items())
    verdicts = [judge(figure.interval, *_SSIM) for figure in found.values()]
    return [sentence, f"at 224 px: {here}", _all(verdicts, {PRISTINE, *METHODS} <= set(found))]


def _uncorrelated(results: Sequence[Result]) -> Row:
    sentence = f"|r| of SSIM and change of score is below {CORRELATION:g}"
    if not results:
        return [sentence, "no results of experiment=correlation", UNKNOWN]
    parts, verdicts = [], []
    for result in results:
        figure = result.metrics.figure("correlation", "ssim_pearson")
        parts.append(f"{result.run.model} on {result.run.forgery} {show_value(figure, 'r')}")
        verdicts.append(judge(figure.interval, -CORRELATION, CORRELATION))
    return [sentence, f"r: {'; '.join(parts)}", _all(verdicts)]
