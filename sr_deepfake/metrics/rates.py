"""FNR and FPR as torchmetrics classes, for logging while a detector trains."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from sr_deepfake.metrics.functional import THRESHOLD, confusion_counts, ratio


class _CountedRate(Metric):
    """Counts faces over batches and processes; a child says which counts make its rate."""

    is_differentiable = False
    full_state_update = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    true_positives: Tensor
    false_positives: Tensor
    true_negatives: Tensor
    false_negatives: Tensor

    def __init__(self, threshold: float = THRESHOLD, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = threshold
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count a batch: `preds` are probabilities of fake in [0, 1], `target` labels (1 is fake)."""
        counts = confusion_counts(preds, target, self.threshold)
        self.true_positives = self.true_positives + counts.true_positives
        self.false_positives = self.false_positives + counts.false_positives
        self.true_negatives = self.true_negatives + counts.true_negatives
        self.false_negatives = self.false_negatives + counts.false_negatives


class FalseNegativeRate(_CountedRate):
    """Share of the fakes that are missed, FN / (FN + TP); NaN without fakes.

    Args:
        threshold: a score above it means fake.
        kwargs: as torchmetrics' `Metric`.

    Example:
        >>> rate = FalseNegativeRate()
        >>> rate.update(torch.tensor([0.9, 0.4, 0.1]), torch.tensor([1, 1, 0]))
        >>> rate.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the rate over all that was counted."""
        return ratio(self.false_negatives, self.false_negatives + self.true_positives)


class FalsePositiveRate(_CountedRate):
    """Share of the pristine faces that are called fake, FP / (FP + TN); NaN without pristine faces.

    Args:
        threshold: a score above it means fake.
        kwargs: as torchmetrics' `Metric`.

    Example:
        >>> rate = FalsePositiveRate()
        >>> rate.update(torch.tensor([0.9, 0.6, 0.1]), torch.tensor([1, 0, 0]))
        >>> rate.compute()
        tensor(0.5000, dtype=torch.float64)
    """

    higher_is_better = False

    def compute(self) -> Tensor:
        """Return the rate over all that was counted."""
        return ratio(self.false_positives, self.false_positives + self.true_negatives)
