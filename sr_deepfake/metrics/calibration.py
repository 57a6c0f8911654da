"""Beyond the threshold of 0.5: thresholds chosen on clean validation faces, low false alarms, calibration, success.

A detector whose scores shifted under the attack may still rank fakes above pristine faces. Then a threshold that is
chosen before the attack, and held, shows what the shift costs; TPR at a low FPR and AUC show what is left.
"""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sr_deepfake.metrics.functional import THRESHOLD, confusion_counts, ratio

Array = npt.NDArray[np.float64]
BINS = 15  # of the calibration error and the reliability diagram, equally wide
LOW = {"tpr_at_1": 0.01, "tpr_at_5": 0.05}  # FPR at which the TPR is told
RATES = ("fnr", "fpr", "recall", "precision", "accuracy")
EQUAL = "equal error"


def threshold_of(validation: pd.DataFrame | None, fpr: float | None = None) -> float:
    """The threshold that a detector's clean validation scores suggest.

    Args:
        validation: `label` and `score` of the faces; None: there are none.
        fpr: the false positive rate that is wished: the smallest threshold that has at most this one. None: the
            threshold where FNR and FPR are closest to each other.

    Returns:
        A score: a face is called fake above it. Halfway between two scores of faces. NaN without faces of both classes.

    Example:
        >>> faces = pd.DataFrame({"label": [0, 0, 1, 1], "score": [0.1, 0.2, 0.4, 0.9]})
        >>> round(threshold_of(faces), 3), round(threshold_of(faces, fpr=0.5), 3)
        (0.3, 0.15)
    """
    if validation is None or validation["label"].nunique() < 2:
        return math.nan
    label, score = validation["label"].to_numpy(), validation["score"].to_numpy(dtype=np.float64)
    scores = np.unique(score)
    candidates = np.concatenate([[scores[0] / 2], (scores[1:] + scores[:-1]) / 2, [(scores[-1] + 1) / 2]])
    fakes, pristine = np.sort(score[label == 1]), np.sort(score[label == 0])
    missed = np.searchsorted(fakes, candidates, side="right") / len(fakes)
    accused = 1 - np.searchsorted(pristine, candidates, side="right") / len(pristine)
    if fpr is not None:
        allowed = accused <= fpr + 1e-12
        return float(candidates[allowed].min())
    return float(candidates[np.abs(missed - accused).argmin()])


def rates_at(scores: npt.ArrayLike, labels: npt.ArrayLike, threshold: float) -> dict[str, float]:
    """FNR, FPR, recall, precision and accuracy at a threshold, fractions; all NaN where the threshold is.

    Example:
        >>> rates_at([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0], threshold=0.3)["fnr"]
        0.0
    """
    if math.isnan(threshold):
        return dict.fromkeys(RATES, math.nan)
    score, label = torch.from_numpy(np.array(scores, np.float64)), torch.from_numpy(np.array(labels))
    found, accused, passed, missed = confusion_counts(score, label, threshold)
    values = {
        "fnr": ratio(missed, missed + found),
        "fpr": ratio(accused, accused + passed),
        "recall": ratio(found, found + missed),
        "precision": ratio(found, found + accused),
        "accuracy": ratio(found + passed, found + passed + accused + missed),
    }
    return {name: float(value) for name, value in values.items()}


def calibration_metrics(scores: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """How far scores are probabilities, and how many fakes are found when false alarms are rare.

    Args:
        scores: N probabilities of fake.
        labels: N labels; 1 is fake, 0 pristine.

    Returns:
        `ece`: expected calibration error: mean distance of score and share of fakes over 15 bins of the score, weighted
        by faces. `brier`: mean squared distance of score and label. `tpr_at_1`, `tpr_at_5`: the highest TPR of a
        threshold with an FPR of at most 1 or 5 %, on these very faces; NaN without faces of both classes.

    Example:
        >>> found = calibration_metrics([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
        >>> {name: round(value, 3) for name, value in found.items()}
        {'ece': 0.35, 'brier': 0.185, 'tpr_at_1': 0.5, 'tpr_at_5': 0.5}
    """
    score, label = np.array(scores, dtype=np.float64), np.array(labels)
    mean, share, count = reliability(score, label)
    error = float((count * np.abs(mean - share)).sum() / len(score))
    found = {"ece": error, "brier": float(((score - label) ** 2).mean())}
    fakes, pristine = score[label == 1], score[label == 0]
    for name, allowed in LOW.items():
        if not len(fakes) or not len(pristine):
            found[name] = math.nan
            continue
        # As many pristine faces may be above the threshold as are allowed: the next one is the threshold.
        alarms = math.floor(allowed * len(pristine) + 1e-9)
        ranked = np.sort(pristine)[::-1]
        found[name] = float((fakes > ranked[alarms]).mean()) if alarms < len(ranked) else 1.0
    return found


def attack_success(predictions: pd.DataFrame) -> float:
    """Share of the fakes that were found clean and are missed attacked, at the threshold of 0.5; NaN if none was found.

    Example:
        >>> faces = pd.DataFrame({"label": [1, 1, 1, 0], "score": [0.9, 0.8, 0.2, 0.1], "score_attacked": 0.3})
        >>> attack_success(faces)
        1.0
    """
    found = predictions[(predictions["label"] == 1) & (predictions["score"] > THRESHOLD)]
    return float((found["score_attacked"] <= THRESHOLD).mean()) if len(found) else math.nan


def reliability(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """The reliability diagram: of each bin of the score that has faces, mean score, share of fakes, number of faces.

    Example:
        >>> mean, share, count = reliability([0.9, 0.91, 0.1], [1, 0, 0])
        >>> mean.round(3).tolist(), share.tolist(), count.tolist()
        ([0.1, 0.905], [0.0, 0.5], [1.0, 2.0])
    """
    score, label = np.array(scores, dtype=np.float64), np.array(labels, dtype=np.float64)
    bins = np.minimum((score * BINS).astype(np.intp), BINS - 1)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    kept = count > 0
    mean = np.bincount(bins, score, BINS)[kept] / count[kept]
    share = np.bincount(bins, label, BINS)[kept] / count[kept]
    return mean, share, count[kept]
