"""The figures of a detector as one metric of torchmetrics, for a LightningModule to update and log."""

import math
from typing import Any

import torch
import torchmetrics
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from sr_deepfake.metrics.classification import classification_metrics

LOGGED = ("fnr", "fpr", "recall", "precision", "accuracy", "auc", "eer", "ece")  # of all: a summary has forty figures


class DetectorMetrics(torchmetrics.Metric):
    """Collects logits and labels; its figures are those of `classification_metrics`, whatever the number of devices."""

    full_state_update = False
    logits: Any
    labels: Any

    def __init__(self) -> None:
        super().__init__()
        self.add_state("logits", default=[], dist_reduce_fx="cat")
        self.add_state("labels", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, labels: Tensor) -> None:
        """Take in B logits of fake and B labels (1 is fake)."""
        self.logits.append(logits.detach())
        self.labels.append(labels.long())

    def compute(self) -> dict[str, float]:
        """The defined figures by name, as fractions."""
        logits, labels = dim_zero_cat(self.logits).cpu().double(), dim_zero_cat(self.labels).cpu()
        if logits.isnan().any():  # a training that diverges, which Lightning ends by its loss
            return {}
        scores = torch.sigmoid(logits)
        found = classification_metrics(scores.numpy(), labels.numpy(), logits.numpy())
        return {name: value for name, value in found.items() if not math.isnan(value)}
