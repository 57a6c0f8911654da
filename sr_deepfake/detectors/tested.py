"""What a trained detector and one from elsewhere have in common: scores, and the test."""

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.metrics.classification import detector_metrics
from sr_deepfake.metrics.setups import SETUPS
from sr_deepfake.system.hardware import exact_float32


class TestedDetector(lightning.LightningModule):
    """A detector that can be tested: faces of any side → one logit of *fake* a face, see `forward`.

    The test logs `test/clean/fnr`, … and, of batches that carry attacked faces, `test/both/…` (the paper's table 1) and
    `test/fake/…` (table 2). How they were attacked the detector does not know. Scores are computed in float32, whatever
    the training used: in bf16 one decision in 150 flips, and equal scores are frequent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.test_metrics: Any = nn.ModuleDict(
            {setup: detector_metrics(f"test/{setup}/") for setup in SETUPS}
        )

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces.

        Args:
            faces: B×3×S×S, RGB in [0, 1], any S.
            attacked: whether they are attacked ones.

        Returns:
            B logits of *fake*; the sigmoid is the probability.
        """
        raise NotImplementedError

    def score(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Return the probability of fake of B faces (B×3×S×S in [0, 1]), computed in float32, as float64 on the CPU.

        In float64, since the sigmoid of a confident logit is 1 in float32, and equal scores change the AUC.

        Raises:
            ValueError: a score is NaN.
        """
        scores = torch.sigmoid(self.logits(faces, attacked).detach().cpu().double())
        if scores.isnan().any():
            raise ValueError(
                f"the detector returned NaN for {int(scores.isnan().sum())} of {len(scores)} faces"
            )
        return scores

    def logits(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """As `forward`, in float32 whatever the caller is in."""
        with exact_float32(faces.device.type):
            found: Tensor = self(faces, attacked)
        return found

    def test_step(self, batch: FaceBatch, batch_idx: int) -> Mapping[str, Tensor]:
        """Score the faces, and the attacked ones where there are any.

        Returns:
            `score` and, of attacked faces, `score_attacked`: B probabilities of fake each, float64 on the CPU.
        """
        scores = {"score": self.score(batch.faces)}
        labels = batch.labels.long()
        setups = {"clean": scores["score"]}
        if batch.attacked is not None:
            attacked = scores["score_attacked"] = self.score(batch.attacked, attacked=True)
            fakes = labels.cpu() == 1
            setups |= {"both": attacked, "fake": torch.where(fakes, attacked, scores["score"])}
        for setup, probabilities in setups.items():
            self.test_metrics[setup].update(probabilities.to(_metrics_type(labels)), labels)
        return scores

    def predict_step(self, batch: FaceBatch, batch_idx: int) -> Mapping[str, Tensor]:
        """Score clean faces.

        Returns:
            `label` and `score`: B numbers each, float64 on the CPU.
        """
        return {"label": batch.labels.cpu().double(), "score": self.score(batch.faces)}

    def on_test_epoch_end(self) -> None:
        """Log the metrics of each setup that had faces."""
        for metrics in self.test_metrics.values():
            if metrics["fnr"].update_called:
                self.log_metrics(metrics)

    def log_metrics(self, metrics: Any) -> None:
        """Log what was gathered, and begin anew."""
        self.log_dict(metrics.compute(), sync_dist=True)
        metrics.reset()


def _metrics_type(labels: Tensor) -> Tensor:
    """A tensor of the labels' device and the finest type that it has."""
    return torch.empty(
        0, device=labels.device, dtype=torch.float32 if labels.device.type == "mps" else torch.float64
    )
