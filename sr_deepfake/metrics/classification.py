"""The metrics of a detector as torchmetrics collections, for a LightningModule to update and log.

They agree with `sr_deepfake.metrics.functional`, from which results and reports derive, to 1e-6.
"""

from typing import Any

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryAUROC,
    BinaryAveragePrecision,
    BinaryPrecision,
    BinaryRecall,
    BinaryROC,
    BinaryStatScores,
)
from torchmetrics.utilities.data import dim_zero_cat

from sr_deepfake.metrics.functional import equal_error_rate


class FalseNegativeRate(BinaryStatScores):
    """Share of the fakes that are missed, FN / (FN + TP); NaN without fakes. Arguments as of torchmetrics' class.

    Example:
        >>> import torch
        >>> FalseNegativeRate()(torch.tensor([0.9, 0.4, 0.1]), torch.tensor([1, 1, 0]))
        tensor(0.5000)
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the rate over all that was counted."""
        true_positives, _, _, false_negatives = self._final_state()
        return false_negatives / (false_negatives + true_positives)


class FalsePositiveRate(BinaryStatScores):
    """Share of the pristine faces that are called fake, FP / (FP + TN); NaN without pristine faces.

    Example:
        >>> import torch
        >>> FalsePositiveRate()(torch.tensor([0.9, 0.6, 0.1]), torch.tensor([1, 0, 0]))
        tensor(0.5000)
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the rate over all that was counted."""
        _, false_positives, true_negatives, _ = self._final_state()
        return false_positives / (false_positives + true_negatives)


class EqualErrorRate(BinaryROC):
    """Equal error rate: FNR and FPR where they are equal, interpolated on the ROC curve.

    torchmetrics' `BinaryEER` takes the nearest threshold without interpolation: on a few hundred faces it is off by up
    to half a percentage point, and differs from the bootstrap's.

    Example:
        >>> import torch
        >>> EqualErrorRate()(torch.tensor([0.9, 0.4, 0.4, 0.1]), torch.tensor([1, 1, 0, 0]))
        tensor(0.2500, dtype=torch.float64)
    """

    higher_is_better = False

    def compute(self) -> Tensor:  # type: ignore[override]  # one number of the curve
        """Return the rate over all faces."""
        return equal_error_rate(dim_zero_cat(self.preds), dim_zero_cat(self.target))


def detector_metrics(prefix: str) -> MetricCollection:
    """FNR, FPR, recall, precision, AUC, accuracy, AP and EER of probabilities of fake; a fake is a score above 0.5.

    Args:
        prefix: of the names, such as "test/both/".

    Returns:
        A collection whose `update` takes B probabilities and B labels (whole numbers; 1 is fake), and whose `compute`
        returns fractions by name. Where no face is called fake the precision is NaN.

    Example:
        >>> import torch
        >>> metrics = detector_metrics("val/")
        >>> metrics.update(torch.tensor([0.9, 0.4, 0.6, 0.1]), torch.tensor([1, 1, 0, 0]))
        >>> {name: round(value.item(), 3) for name, value in metrics.compute().items()}
        {'val/accuracy': 0.5, 'val/ap': 0.833, 'val/auc': 0.75, 'val/eer': 0.5, 'val/fnr': 0.5, 'val/fpr': 0.5,
        'val/precision': 0.5, 'val/recall': 0.5}
    """
    undefined: Any = float("nan")
    return MetricCollection(
        {
            "fnr": FalseNegativeRate(),
            "fpr": FalsePositiveRate(),
            "recall": BinaryRecall(),
            # torchmetrics knows 0 and 1 for what is undefined; NaN passes where its arguments are not checked.
            "precision": BinaryPrecision(zero_division=undefined, validate_args=False),
            "auc": BinaryAUROC(),
            "accuracy": BinaryAccuracy(),
            "ap": BinaryAveragePrecision(),
            "eer": EqualErrorRate(),
        },
        prefix=prefix,
        compute_groups=False,  # the classes with a `compute` of their own keep their state
    )
