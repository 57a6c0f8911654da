"""The figures of a detector, from faces that have weights; plain figures are those of weights of one.

A bootstrap asks for the figures of thousands of weightings of the same faces. Faces are sorted once (`rank`); all figures
of all weightings then follow from cumulated weights (`weighted_metrics`).

Scores are probabilities of *fake*; fake (label 1) is the positive class. A face counts as fake when its score is *above*
0.5 (the published code rounds the sigmoid, which is the same). What depends on the order of faces alone (AUC, AP, EER,
TPR at a low FPR) is computed from the logits: probabilities of a confident detector are all 1.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

THRESHOLD = 0.5
BINS = 15  # of the calibration error and the reliability diagram, equally wide
LOW_FPR = {"tpr_at_1": 0.01, "tpr_at_5": 0.05}
RATES = ("fnr", "fpr", "recall", "precision", "accuracy", "balanced_accuracy")
_TINY = np.finfo(np.float64).tiny  # replaces a zero that only divides zeros


@dataclass(frozen=True)
class Ranking:
    """Faces in falling order of their scores, each class on its own."""

    fakes: Index  # for each fake, the column of the weights that counts it
    pristine: Index  # for each pristine face, the same
    called: tuple[int, int]  # how many fakes and how many pristine faces score above the threshold
    fakes_reached: Index  # for each fake, how many fakes score as high or higher
    pristine_reached: Index  # for each fake, how many pristine faces score as high or higher
    pristine_above: Index  # for each fake, how many pristine faces score higher
    fakes_above: Index  # for each pristine face, how many fakes score higher
    binned: Index  # columns of all faces, by the bin of their score
    bins: Index  # where each bin that has faces begins in `binned`
    residuals: Array  # score − label of all faces, in the order of `binned`


def rank(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    units: npt.ArrayLike | None = None,
    logits: npt.ArrayLike | None = None,
    threshold: float = THRESHOLD,
) -> Ranking:
    """Sort faces for `weighted_metrics`."""
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    unit = np.arange(len(score)) if units is None else np.asarray(units, dtype=np.intp)
    if not len(score) == len(label) == len(unit):
        raise ValueError(f"{len(score)} scores, {len(label)} labels and {len(unit)} units do not match")
    if not len(score):
        raise ValueError("there are no scores to compute metrics from")
    if not ((score >= 0) & (score <= 1)).all():  # NaN fails both comparisons
        raise ValueError("scores must be probabilities in [0, 1]; some are outside or NaN")
    if not np.isin(label, (0, 1)).all():
        raise ValueError("labels must be 1 (fake) or 0 (pristine)")
    places = positions(score, logits)
    columns, falling, called = {}, {}, {}
    for value in (0, 1):
        members = np.flatnonzero(label == value)
        order = members[np.argsort(-places[members], kind="stable")]
        columns[value], falling[value] = unit[order], -places[order]
        called[value] = int((score[order] > threshold).sum())
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    by_bin = np.argsort(bins, kind="stable")
    return Ranking(
        fakes=columns[1],
        pristine=columns[0],
        called=(called[1], called[0]),
        fakes_reached=np.searchsorted(falling[1], falling[1], side="right"),
        pristine_reached=np.searchsorted(falling[0], falling[1], side="right"),
        pristine_above=np.searchsorted(falling[0], falling[1], side="left"),
        fakes_above=np.searchsorted(falling[1], falling[0], side="left"),
        binned=unit[by_bin],
        bins=np.flatnonzero(np.diff(bins[by_bin], prepend=-1)),
        residuals=(score - label)[by_bin],
    )


def positions(scores: npt.ArrayLike, logits: npt.ArrayLike | None = None) -> Index:
    """Number faces by their score, and equal scores by their logit; what is equal in both has one number."""
    score = np.asarray(scores, dtype=np.float64)
    logit = np.zeros_like(score) if logits is None else np.asarray(logits, dtype=np.float64)
    order = np.lexsort((logit, score))
    differs = (np.diff(score[order]) != 0) | (logit[order][1:] != logit[order][:-1])
    found = np.zeros(len(score), dtype=np.intp)
    found[order[1:]] = np.cumsum(differs)
    return found


def classification_metrics(
    scores: npt.ArrayLike, labels: npt.ArrayLike, logits: npt.ArrayLike | None = None
) -> dict[str, float]:
    """The six figures of a row of the paper's tables 1 and 2, and those that reviewers ask for as well.

    Args:
        scores: N probabilities of fake in [0, 1].
        labels: N labels; 1 is fake, 0 pristine.
        logits: N logits, which order faces of equal scores; None: equal scores are ties.

    Returns:
        Fractions: `fnr`, `fpr`, `recall`, `precision`, `accuracy`, `balanced_accuracy` (mean of recall and 1 − FPR),
        `auc`, `eer`, `ap`; `tpr_at_1`, `tpr_at_5`: the highest TPR of a threshold with an FPR of at most 1 or 5 % on
        these faces; `ece`: expected calibration error over 15 bins of the score; `brier`: mean squared distance of
        score and label. NaN is what is undefined: rates of a class without faces, the precision where no face is called
        fake, what needs both classes.

    Raises:
        ValueError: no faces, scores outside [0, 1] or NaN, labels other than 0 and 1, or lengths that differ.

    Example:
        >>> metrics = classification_metrics([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
        >>> [round(metrics[name], 3) for name in ("fnr", "fpr", "precision", "auc", "eer", "ap", "ece")]
        [0.5, 0.5, 0.5, 0.75, 0.5, 0.833, 0.35]
    """
    ranking = rank(scores, labels, logits=logits)
    weights = np.ones((1, len(np.asarray(labels))))
    return {name: float(values[0]) for name, values in weighted_metrics(ranking, weights).items()}


def weighted_metrics(ranking: Ranking, weights: Array) -> dict[str, Array]:
    """Compute what `classification_metrics` does, for R weightings of the faces at once."""
    fake_weights = weights.take(ranking.fakes, axis=1)
    found, accused = _cumulated(fake_weights), _cumulated(weights.take(ranking.pristine, axis=1))
    return (
        _rates(ranking, found, accused)
        | _curves(ranking, fake_weights, found, accused)
        | _calibration(ranking, weights)
    )


def weighted_rates(ranking: Ranking, weights: Array) -> dict[str, Array]:
    """The figures of `weighted_metrics` that depend on the threshold: `RATES`."""
    found, accused = (_cumulated(weights.take(columns, axis=1)) for columns in (ranking.fakes, ranking.pristine))
    return _rates(ranking, found, accused)


def roc_curve(scores: npt.ArrayLike, labels: npt.ArrayLike, logits: npt.ArrayLike | None = None) -> tuple[Array, Array]:
    """The corners of the ROC curve: false and true positive rates."""
    label, place = np.asarray(labels), positions(scores, logits)
    if len(np.unique(label)) < 2:
        return np.empty(0), np.empty(0)
    counts = np.stack([np.bincount(place[label == value], minlength=place.max() + 1) for value in (0, 1)])
    points = np.concatenate([np.zeros((2, 1), int), counts[:, ::-1].cumsum(axis=1)], axis=1)
    steps = np.diff(points, axis=1)
    turns = steps[0, :-1] * steps[1, 1:] != steps[0, 1:] * steps[1, :-1]
    kept = np.concatenate([[True], turns, [True]])
    fpr, tpr = points[:, kept] / points[:, -1:]
    return fpr, tpr


def reliability(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """The reliability diagram: for each bin of the score with faces, mean score, share of fakes and number of faces."""
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    kept = count > 0
    mean = np.bincount(bins, score, BINS)[kept] / count[kept]
    share = np.bincount(bins, label, BINS)[kept] / count[kept]
    return mean, share, count[kept]


def _cumulated(weights: Array) -> Array:
    """Entry k of a row is the weight of its first k faces."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _rates(ranking: Ranking, found: Array, accused: Array) -> dict[str, Array]:
    fakes, pristine = found[:, -1], accused[:, -1]
    tp, fp = found[:, ranking.called[0]], accused[:, ranking.called[1]]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that an undefined rate has
        recall, fpr = tp / fakes, fp / pristine
        return {
            "fnr": (fakes - tp) / fakes,
            "fpr": fpr,
            "recall": recall,
            "precision": tp / (tp + fp),
            "accuracy": (tp + pristine - fp) / (fakes + pristine),
            "balanced_accuracy": (recall + 1 - fpr) / 2,
        }


def _curves(ranking: Ranking, fake_weights: Array, found: Array, accused: Array) -> dict[str, Array]:
    """What depends on the order alone; NaN in the rows where a class has no weight."""
    fakes, pristine = found[:, -1], accused[:, -1]
    if not len(ranking.fakes) or not len(ranking.pristine):
        return dict.fromkeys(("auc", "eer", "ap", *LOW_FPR), np.full(len(fakes), np.nan))
    # For each fake: what is called fake when the threshold is its score.
    hits = found.take(ranking.fakes_reached, axis=1)
    alarms = accused.take(ranking.pristine_reached, axis=1)
    above = accused.take(ranking.pristine_above, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        outscored_by = np.einsum("rn,rn->r", fake_weights, above + alarms) / 2
        figures = {
            "auc": 1 - outscored_by / (fakes * pristine),
            "eer": _equal_error_rate(hits, alarms, above, found, accused),
            "ap": np.einsum("rn,rn->r", fake_weights, hits / np.maximum(hits + alarms, _TINY)) / fakes,
        }
        figures |= {name: _tpr(ranking, found, accused, allowed) / fakes for name, allowed in LOW_FPR.items()}
        absent = np.where(fakes * pristine == 0, np.nan, 0.0)
    return {name: values + absent for name, values in figures.items()}


def _equal_error_rate(hits: Array, alarms: Array, above: Array, found: Array, accused: Array) -> Array:
    """Where the ROC curve, drawn with straight lines, crosses FPR = FNR."""
    row = np.arange(len(hits))
    fakes, pristine = found[:, -1], accused[:, -1]

    def excess(hits: Array, alarms: Array) -> Array:
        """FNR − FPR times both classes' weights: falls along the curve, and is exact for whole weights."""
        total: Array = (fakes - hits) * pristine - alarms * fakes
        return total

    step = (excess(hits.T, alarms.T) <= 0).argmax(axis=0)
    before = np.maximum(excess(found[row, step], above[row, step]), 0)
    after = excess(hits[row, step], alarms[row, step])
    share = before / np.maximum(before - after, _TINY)
    missed: Array = fakes - found[row, step] - share * (hits[row, step] - found[row, step])
    return missed / fakes


def _tpr(ranking: Ranking, found: Array, accused: Array, allowed: float) -> Array:
    """Weight of the fakes above the first pristine face that would exceed the allowed FPR."""
    row = np.arange(len(found))
    exceeds = accused[:, 1:] > allowed * accused[:, -1:] + 1e-9
    first = exceeds.argmax(axis=1)
    weight: Array = found[row, ranking.fakes_above[first]]
    return weight


def _calibration(ranking: Ranking, weights: Array) -> dict[str, Array]:
    faces = weights.take(ranking.binned, axis=1)
    errors = np.add.reduceat(faces * ranking.residuals, ranking.bins, axis=1)
    total = faces.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return {"ece": np.abs(errors).sum(axis=1) / total, "brier": (faces * ranking.residuals**2).sum(axis=1) / total}
