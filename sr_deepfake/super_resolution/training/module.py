"""LightningModule that trains a super-resolution network."""

from dataclasses import dataclass
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from timm.optim import Muon
from torch import Tensor, nn
from torchmetrics.functional.image import peak_signal_noise_ratio

from sr_deepfake.system.errors import UserError, choose

_LOSSES = {"l1": F.l1_loss, "l2": F.mse_loss}


@dataclass(frozen=True)
class Schedule:
    """Length and learning rate of the training.

    Attributes:
        steps: of the optimiser; rounded up to whole checks.
        batch: pairs of patches a step.
        optimiser: "muon" (Jordan et al., 2024) or "adam" (EDSR's). In 240 steps from given weights Muon gained 0.5 dB,
            Adam 0.08 dB: its steps move all outputs of a layer alike, and so shift the colours of the picture.
        learning_rate: after `warmup` steps; it falls along a cosine to `final_learning_rate` of itself.
        warmup: steps in which it rises from nothing.
        final_learning_rate: fraction.
        loss: "l1" (EDSR's) or "l2" (PSNR's own).
        average: decay of the running average of the weights that is validated and kept.
        check: steps between validations; after each the state is written.
        seed: of patches and initial weights.
    """

    steps: int = 10_000
    batch: int = 16
    optimiser: str = "muon"
    learning_rate: float = 5e-4
    warmup: int = 100
    final_learning_rate: float = 0.01
    loss: str = "l1"
    average: float = 0.999
    check: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        choose(self.loss, _LOSSES, "schedule.loss")
        choose(self.optimiser, ("muon", "adam"), "schedule.optimiser")
        for name in ("steps", "batch", "check"):
            if getattr(self, name) < 1:
                raise UserError(f"schedule.{name}={getattr(self, name)}: it is 1 or more")

    @property
    def length(self) -> int:
        """Steps that are done: whole checks."""
        check = min(self.check, self.steps)
        return -(-self.steps // check) * check


class SuperResolutionTraining(lightning.LightningModule):
    """One step of training, and the PSNR of validation photos.

    Args:
        network: B×3×h×w in [0, 1] → B×3×Kh×Kw.
        schedule: the learning rate's course and the loss.
    """

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self._loss = _LOSSES[schedule.loss]

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Return the loss on a batch of patches (uint8 B×3×P×P and B×3×KP×KP)."""
        small, large = (_as_input(patches) for patches in batch)
        loss: Tensor = self._loss(self.network(small).float(), large)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: dict[str, Any], index: int) -> None:
        """Log a photo's PSNR in dB, of 8-bit RGB: the network's, and how much more it is than bicubic's."""
        enlarged = (self.network(_as_input(batch["small"][None])).float() * 255).round().clamp(0, 255)
        large = batch["large"][None].float()
        psnr = peak_signal_noise_ratio(enlarged, large, data_range=255.0)
        plain = peak_signal_noise_ratio(batch["bicubic"][None].float(), large, data_range=255.0)
        self.log("val/psnr", psnr, batch_size=1, prog_bar=True)
        self.log("val/gain", psnr - plain, batch_size=1, prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimiser, its rate warmed up, then along a cosine."""
        schedule = self.schedule
        optimiser = self._optimiser()
        warmup = min(schedule.warmup, schedule.length // 2)
        rise = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / (warmup + 1), total_iters=warmup)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, schedule.length - warmup, schedule.learning_rate * schedule.final_learning_rate
        )
        rate = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, fall], milestones=[warmup])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def _optimiser(self) -> torch.optim.Optimizer:
        rate = self.schedule.learning_rate
        if self.schedule.optimiser == "adam":
            return torch.optim.Adam(self.network.parameters(), lr=rate, betas=(0.9, 0.999))
        # Muon is made for layers inside a network. The first and last one, and biases, are left to Adam.
        colours = 3
        inner: list[Tensor] = []
        outer: list[Tensor] = []
        for tensor in self.network.parameters():
            (inner if tensor.ndim == 4 and colours not in tensor.shape[:2] else outer).append(tensor)
        groups: list[dict[str, Any]] = [{"params": inner}, {"params": outer, "use_fallback": True}]
        return Muon(groups, lr=rate, nesterov=True, fallback_lr_scale=0.3, betas=(0.9, 0.999))


def _as_input(pictures: Tensor) -> Tensor:
    return (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
