"""What all detectors have in common: scores, and the test."""

from collections.abc import Mapping
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.detectors.scores import KnownScores
from sr_deepfake.metrics.collection import LOGGED, DetectorMetrics
from sr_deepfake.metrics.predictions import SETUPS
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.hardware import exact_float32


class NaNError(UserError):
    """A detector returned NaN for the faces with these numbers in the batch."""

    def __init__(self, numbers: list[int], count: int) -> None:
        super().__init__(f"the detector returned NaN for {len(numbers)} of {count} faces")
        self.numbers = numbers


class TestedDetector(lightning.LightningModule):
    """A detector that can be tested: faces of any side → one logit of *fake* a face, see `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.known: KnownScores | None = None  # of the faces to come
        self.test_metrics: Any = nn.ModuleDict({setup: DetectorMetrics() for setup in SETUPS})

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces."""
        raise NotImplementedError

    def expect_margin(self, margin: float | None) -> None:
        """Learn the margin about the face's box of the faces to come; only detectors with one of their own care."""

    def logits(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """As `forward`, in float32 whatever the caller is in."""
        with exact_float32(faces.device.type):
            found: Tensor = self(faces, attacked)
        return found

    def finite_logits(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """As `logits`, as float64 on the CPU."""
        found = self.logits(faces, attacked).detach().cpu().double()
        if found.isnan().any():
            raise NaNError(found.isnan().nonzero().flatten().tolist(), len(found))
        return found

    def score(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Return the probability of fake of B faces (B×3×S×S in [0, 1]), as float64 on the CPU."""
        return torch.sigmoid(self.finite_logits(faces, attacked))

    def test_step(self, batch: FaceBatch, batch_idx: int) -> Mapping[str, Tensor]:
        """Score the faces, and the attacked ones where there are any."""
        try:
            return self._tested(batch)
        except NaNError as error:
            names = [str(batch.rows["face_id"].iloc[number]) for number in error.numbers[:3]]
            raise UserError(f"{error}: {', '.join(names)}{', …' if len(error.numbers) > 3 else ''}") from None

    def _tested(self, batch: FaceBatch) -> Mapping[str, Tensor]:
        found = {"logit": self._logits_of(batch)}
        labels = batch.labels.cpu()
        setups = {"clean": found["logit"]}
        if batch.attacked is not None:
            attacked = found["logit_attacked"] = self._logits_of(batch, attacked=True)
            setups |= {"both": attacked, "fake": torch.where(labels == 1, attacked, found["logit"])}
        for setup, logits in setups.items():
            self.test_metrics[setup].update(logits, labels)
        return found

    def _logits_of(self, batch: FaceBatch, attacked: bool = False) -> Tensor:
        """The logits of a batch; what is known is not computed."""
        known = None if self.known is None else self.known.find(batch.rows, attacked)
        if known is not None:
            return known
        logits = self.finite_logits(batch.faces if not attacked or batch.attacked is None else batch.attacked, attacked)
        if self.known is not None:
            self.known.keep(batch.rows, attacked, logits)
        return logits

    def predict_step(self, batch: FaceBatch, batch_idx: int) -> Mapping[str, Tensor]:
        """Score clean faces."""
        return {"label": batch.labels.cpu().double(), "score": torch.sigmoid(self._logits_of(batch))}

    def on_test_start(self) -> None:
        """Ask the data module for the margin of its faces."""
        self.expect_margin(getattr(self.trainer.datamodule, "margin", None))  # type: ignore[attr-defined]

    on_predict_start = on_test_start

    def on_test_epoch_end(self) -> None:
        """Log the metrics of each setup that had faces."""
        for setup, metrics in self.test_metrics.items():
            if metrics.update_called:
                self.log_metrics(f"test/{setup}/", metrics)

    def log_metrics(self, prefix: str, metrics: DetectorMetrics) -> None:
        """Log what was collected, and start over. (Each process has collected all faces by then.)."""
        self.log_dict({f"{prefix}{name}": value for name, value in metrics.compute().items() if name in LOGGED})
        metrics.reset()
