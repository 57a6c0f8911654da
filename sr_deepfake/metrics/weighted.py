"""The metrics of many weightings of the same faces at once, which is what a bootstrap asks for.

A resample counts each face so and so often. Faces are sorted once; after that, all metrics of all resamples
follow from cumulated weights, without a loop over resamples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sr_deepfake.metrics.functional import THRESHOLD

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
_TINY = np.finfo(np.float64).tiny  # instead of a zero that only ever divides zero


@dataclass(frozen=True)
class Ranking:
    """Faces in the order of their scores, from the highest down, each class on its own.

    Attributes:
        fakes: for each fake, which column of the weights counts it.
        pristine: for each pristine face, the same.
        found: how many fakes score above the threshold.
        accused: how many pristine faces do.
        fakes_reached: for each fake, how many fakes score as high or higher.
        pristine_reached: for each fake, how many pristine faces score as high or higher.
        pristine_above: for each fake, how many pristine faces score higher.
    """

    fakes: Index
    pristine: Index
    found: int
    accused: int
    fakes_reached: Index
    pristine_reached: Index
    pristine_above: Index


def rank(scores: npt.ArrayLike, labels: npt.ArrayLike, units: npt.ArrayLike | None = None) -> Ranking:
    """Sort faces for `weighted_metrics`.

    Args:
        scores: N probabilities of fake.
        labels: N labels; 1 is fake, 0 pristine.
        units: for each face the column of the weights that counts it (its video, say); unless told, face n has
            the column n.

    Raises:
        ValueError: the lengths differ.
    """
    score, label = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    unit = np.arange(len(score)) if units is None else np.asarray(units, dtype=np.intp)
    if not len(score) == len(label) == len(unit):
        raise ValueError(f"{len(score)} scores, {len(label)} labels and {len(unit)} units do not match")
    columns, falling = {}, {}
    for value in (0, 1):
        order = np.flatnonzero(label == value)
        order = order[np.argsort(-score[order], kind="stable")]
        columns[value], falling[value] = unit[order], -score[order]
    return Ranking(
        fakes=columns[1],
        pristine=columns[0],
        found=int(np.searchsorted(falling[1], -THRESHOLD, side="left")),
        accused=int(np.searchsorted(falling[0], -THRESHOLD, side="left")),
        fakes_reached=np.searchsorted(falling[1], falling[1], side="right"),
        pristine_reached=np.searchsorted(falling[0], falling[1], side="right"),
        pristine_above=np.searchsorted(falling[0], falling[1], side="left"),
    )


def weighted_metrics(ranking: Ranking, weights: Array) -> dict[str, Array]:
    """Compute what `classification_metrics` computes, for R weightings of the faces at once.

    Args:
        ranking: of `rank`.
        weights: R×U, how often each unit counts; not negative.

    Returns:
        The eight of `classification_metrics`, each of shape R, as fractions, with its definitions and NaN
        where it has NaN. With whole weights they are those of a table in which each face stands as often as
        its weight says.

    Example:
        >>> ranking = rank([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
        >>> metrics = weighted_metrics(ranking, np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]]))
        >>> metrics["fnr"].tolist(), metrics["auc"].tolist()
        ([0.5, 0.0], [0.75, 1.0])
    """
    fake_weights = weights.take(ranking.fakes, axis=1)
    found = _cumulated(fake_weights)
    accused = _cumulated(weights.take(ranking.pristine, axis=1))
    fakes, pristine = found[:, -1], accused[:, -1]
    true_positives, false_positives = found[:, ranking.found], accused[:, ranking.accused]
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN that an undefined rate has
        metrics = {
            "fnr": (fakes - true_positives) / fakes,
            "fpr": false_positives / pristine,
            "recall": true_positives / fakes,
            "precision": true_positives / (true_positives + false_positives),
        }
        accuracy = (true_positives + pristine - false_positives) / (fakes + pristine)
    area, precision, equal = _curves(ranking, fake_weights, found, accused)
    return metrics | {"auc": area, "accuracy": accuracy, "eer": equal, "ap": precision}


def _cumulated(weights: Array) -> Array:
    """Entry k of a row is the weight of its first k faces."""
    sums = np.zeros((len(weights), weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _curves(
    ranking: Ranking, fake_weights: Array, found: Array, accused: Array
) -> tuple[Array, Array, Array]:
    """AUC, AP and EER; NaN in the rows where a class has no weight."""
    fakes, pristine = found[:, -1], accused[:, -1]
    if not len(ranking.fakes) or not len(ranking.pristine):
        nothing = np.full(len(fakes), np.nan)
        return nothing, nothing, nothing
    # For each fake: what is called fake when the threshold is its score.
    hits = found.take(ranking.fakes_reached, axis=1)
    alarms = accused.take(ranking.pristine_reached, axis=1)
    above = accused.take(ranking.pristine_above, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        outscored_by = np.einsum("rn,rn->r", fake_weights, above + alarms) / 2
        area = 1 - outscored_by / (fakes * pristine)
        precision = np.einsum("rn,rn->r", fake_weights, hits / np.maximum(hits + alarms, _TINY)) / fakes
        equal = _equal_error_rate(hits, alarms, above, found, accused)
        absent = np.where(fakes * pristine == 0, np.nan, 0.0)
    return area + absent, precision + absent, equal + absent


def _equal_error_rate(hits: Array, alarms: Array, above: Array, found: Array, accused: Array) -> Array:
    """Where the ROC curve, drawn with straight lines, crosses FPR = FNR.

    Between two fakes' scores the curve runs level, so only the steps at the fakes' scores are looked at:
    the first that ends with FPR >= FNR. When the curve crosses before that step, it does so at its height.
    """
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
