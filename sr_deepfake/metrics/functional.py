"""Numbers from scores and labels: the six of the paper's tables 1 and 2, EER and AP, and the counts below them.

Scores are probabilities of *fake*, fake (label 1) is the positive class, and a face counts as fake when its
score is *above* the threshold of 0.5, which is torchmetrics' convention. A rate of a class without a face is
NaN.

torchmetrics counts; the divisions are done here, in float64, since its own are in float32.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_roc, binary_stat_scores

Array = npt.NDArray[np.float64]
THRESHOLD = 0.5


class Counts(NamedTuple):
    """Confusion counts; each is an integer tensor without dimensions.

    Attributes:
        true_positives: fakes found.
        false_positives: pristine faces called fake.
        true_negatives: pristine faces passed.
        false_negatives: fakes missed.
    """

    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor


def confusion_counts(scores: Tensor, labels: Tensor, threshold: float = THRESHOLD) -> Counts:
    """Count found, missed, passed and falsely accused faces.

    Args:
        scores: float tensor of any shape, probabilities of fake in [0, 1].
        labels: tensor of the same shape; 1 is fake, 0 pristine.
        threshold: a score above it means fake.

    Raises:
        ValueError: scores beyond [0, 1] or NaN, labels other than 0 and 1, or shapes that differ.

    Example:
        >>> counts = confusion_counts(torch.tensor([0.9, 0.5, 0.6, 0.1]), torch.tensor([1, 1, 0, 0]))
        >>> [int(count) for count in counts]
        [1, 1, 1, 1]
    """
    _check(scores, labels)
    found, accused, passed, missed, _ = binary_stat_scores(
        scores, labels.long(), threshold=threshold, validate_args=False
    )
    return Counts(found, accused, passed, missed)


def area_under_roc(scores: Tensor, labels: Tensor) -> Tensor:
    """Area under the ROC curve, exact: the chance that a fake outscores a pristine face, ties counting half.

    Args:
        scores: probabilities of fake in [0, 1].
        labels: 1 is fake, 0 pristine; same shape.

    Returns:
        float64 tensor without dimensions; NaN when one of the classes has no face.

    Example:
        >>> area_under_roc(torch.tensor([0.9, 0.4, 0.4, 0.1]), torch.tensor([1, 1, 0, 0]))
        tensor(0.8750, dtype=torch.float64)
    """
    found, accused = _operating_points(scores, labels)
    return torch.trapezoid(found, accused) / (found[-1] * accused[-1])


def average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    """Average precision: the precision at each threshold, weighted by the recall that the threshold adds.

    The sum over thresholds that scikit-learn defines, without interpolation.

    Args:
        scores: probabilities of fake in [0, 1].
        labels: 1 is fake, 0 pristine; same shape.

    Returns:
        float64 tensor without dimensions; NaN when one of the classes has no face.

    Example:
        >>> average_precision(torch.tensor([0.9, 0.4, 0.6, 0.1]), torch.tensor([1, 1, 0, 0]))
        tensor(0.8333, dtype=torch.float64)
    """
    found, accused = _operating_points(scores, labels)
    precision = found[1:] / (found[1:] + accused[1:])
    return (precision * found.diff()).sum() / found[-1]


def equal_error_rate(scores: Tensor, labels: Tensor) -> Tensor:
    """Equal error rate: where FNR and FPR are the same as the threshold moves.

    The operating points are those of every distinct score as the threshold (a score as high or higher means
    fake) and the one where nothing is called fake. They are joined by straight lines, as in the ROC curve, and
    the crossing with FNR = FPR is interpolated on the line where it lies.

    Args:
        scores: probabilities of fake in [0, 1].
        labels: 1 is fake, 0 pristine; same shape.

    Returns:
        float64 tensor without dimensions; NaN when one of the classes has no face.

    Example:
        >>> equal_error_rate(torch.tensor([0.9, 0.4, 0.4, 0.1]), torch.tensor([1, 1, 0, 0]))
        tensor(0.2500, dtype=torch.float64)
    """
    found, accused = _operating_points(scores, labels)
    fakes, pristine = found[-1], accused[-1]
    if fakes.isnan():
        return fakes
    # FNR - FPR in whole numbers; falls from fakes * pristine to the negative of it.
    excess = (fakes - found) * pristine - accused * fakes
    after = int((excess > 0).sum())
    share = excess[after - 1] / (excess[after - 1] - excess[after])
    missed = fakes - found[after - 1] - share * (found[after] - found[after - 1])
    return missed / fakes


def roc_curve(scores: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array]:
    """The corners of the ROC curve.

    Args:
        scores: N probabilities of fake.
        labels: N labels; 1 is fake, 0 pristine.

    Returns:
        FPR and TPR from (0, 0) to (1, 1), without the points that lie on a straight line between their neighbours;
        empty where a class is absent.

    Example:
        >>> fpr, tpr = roc_curve([0.9, 0.8, 0.6, 0.3], [1, 1, 0, 0])
        >>> fpr.tolist(), tpr.tolist()
        ([0.0, 0.0, 1.0], [0.0, 1.0, 1.0])
    """
    points = _operating_points(
        torch.from_numpy(np.array(scores, np.float64)), torch.from_numpy(np.array(labels))
    )
    found, accused = (counts.numpy() for counts in points)
    if np.isnan(found[-1]):
        return np.empty(0), np.empty(0)
    steps = np.diff(np.stack([accused, found]), axis=1)
    turns = steps[0, :-1] * steps[1, 1:] != steps[0, 1:] * steps[1, :-1]
    kept = np.concatenate([[True], turns, [True]])
    return accused[kept] / accused[-1], found[kept] / found[-1]


def classification_metrics(scores: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """The six numbers of a row of the paper's tables 1 and 2, and EER and AP, as fractions.

    Args:
        scores: N probabilities of fake in [0, 1] (list, array, CPU tensor or column of a table).
        labels: N labels; 1 is fake, 0 pristine.

    Returns:
        `fnr`, `fpr`, `recall`, `precision`, `auc`, `accuracy`, `eer` and `ap`. NaN is what is undefined:
        `fnr` and `recall` without fakes, `fpr` without pristine faces, `auc`, `eer` and `ap` where one of the
        classes is absent, `precision` where no face is called fake.

    Raises:
        ValueError: no faces, scores beyond [0, 1] or NaN, labels other than 0 and 1, or lengths that differ.

    Example:
        >>> metrics = classification_metrics([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
        >>> {name: round(value, 3) for name, value in metrics.items()}
        {'fnr': 0.5, 'fpr': 0.5, 'recall': 0.5, 'precision': 0.5, 'auc': 0.75, 'accuracy': 0.5, 'eer': 0.5,
        'ap': 0.833}
    """
    # Copies: the columns of a table are read-only arrays, which torch would warn about.
    score, label = torch.from_numpy(np.array(scores, dtype=np.float64)), torch.from_numpy(np.array(labels))
    if score.numel() == 0:
        raise ValueError("there are no scores to compute metrics from")
    found, accused, passed, missed = confusion_counts(score, label)
    metrics = {
        "fnr": ratio(missed, missed + found),
        "fpr": ratio(accused, accused + passed),
        "recall": ratio(found, found + missed),
        "precision": ratio(found, found + accused),
        "auc": area_under_roc(score, label),
        "accuracy": ratio(found + passed, found + passed + accused + missed),
        "eer": equal_error_rate(score, label),
        "ap": average_precision(score, label),
    }
    return {name: float(value) for name, value in metrics.items()}


def ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Divide counts in float64; NaN where `whole` is zero (float32 on devices that have no float64).

    Example:
        >>> ratio(torch.tensor(0), torch.tensor(0))
        tensor(nan, dtype=torch.float64)
    """
    dtype = torch.float32 if part.device.type == "mps" else torch.float64
    return part.to(dtype) / whole.to(dtype)


def _operating_points(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Fakes found and pristine faces accused as the threshold falls, from none to all; NaN without a class."""
    _check(scores, labels)
    scores, labels = scores.flatten().cpu(), labels.flatten().cpu().long()
    fakes = int(labels.sum())
    pristine = len(labels) - fakes
    if fakes == 0 or pristine == 0:
        undefined = torch.full((2,), torch.nan, dtype=torch.float64)
        return undefined, undefined
    accused_rate, found_rate, _ = binary_roc(scores, labels, thresholds=None, validate_args=False)
    # The rates are float32, too coarse to integrate; rounding gives back the whole numbers they were made of.
    return (found_rate.double() * fakes).round(), (accused_rate.double() * pristine).round()


def _check(scores: Tensor, labels: Tensor) -> None:
    """Refuse what torchmetrics would take for logits and silently put through a sigmoid, and the like."""
    if scores.shape != labels.shape:
        raise ValueError(f"there are {tuple(scores.shape)} scores for {tuple(labels.shape)} labels")
    if not scores.is_floating_point():
        raise ValueError(f"scores are probabilities in floating point, not {scores.dtype}")
    if not ((scores >= 0) & (scores <= 1)).all():  # NaN fails both comparisons
        raise ValueError("scores are probabilities in [0, 1]; these go beyond or hold NaN")
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError("labels are 1 (fake) or 0 (pristine)")
