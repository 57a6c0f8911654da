"""The deepfake detector: a backbone of timm with its preprocessing, loss, optimiser and schedule."""

import math
from contextlib import nullcontext
from typing import Any

import lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

from sr_deepfake.data.device_augmentation import DeviceAugmentation
from sr_deepfake.data.loaders import FaceBatch
from sr_deepfake.detectors.backbones import build_backbone
from sr_deepfake.detectors.preprocessing import FaceInput
from sr_deepfake.detectors.whole_batch import WholeBatch
from sr_deepfake.errors import choose


class Detector(lightning.LightningModule):
    """A detector of fakes: faces of any side → one logit of *fake* a face.

    Built with random weights (`sr_deepfake.detectors.training` loads pretrained ones). All arguments are
    plain values, so that a checkpoint can be loaded safely.

    Args:
        backbone: name of a timm model.
        image_size: input side of the backbone, in pixels.
        input: what the backbone gets, see `FaceInput`.
        pos_weight: weight of fakes in the loss: pristine / fake faces in the training set.
        optimiser: "sgd" or "adamw".
        learning_rate: at the start.
        momentum: of SGD.
        weight_decay: of either optimiser.
        final_learning_rate: fraction of `learning_rate` at which the per-step cosine ends.

    Example:
        >>> detector = Detector("resnet18", image_size=64).eval()
        >>> detector(torch.rand(2, 3, 96, 96)).shape
        torch.Size([2])
    """

    def __init__(
        self,
        backbone: str,
        image_size: int = 224,
        input: str = "normalised",
        pos_weight: float = 1.0,
        optimiser: str = "sgd",
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        final_learning_rate: float = 0.01,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.optimiser = choose(optimiser, ["sgd", "adamw"], "protocol.optimiser")
        self.backbone = build_backbone(backbone, image_size)
        config: Any = self.backbone.pretrained_cfg
        self.face_input = FaceInput(image_size, input, config["mean"], config["std"])
        self.auc = BinaryAUROC()
        self.accuracy = BinaryAccuracy()
        self.augmentation: DeviceAugmentation | None = None  # of whole batches, in training

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Move a batch; what was drawn for an augmentation on the device stays, since it is read on the CPU."""
        if self.augmentation is None or isinstance(batch, FaceBatch):
            return super().transfer_batch_to_device(batch, device, dataloader_idx)
        faces, labels, drawn = batch
        return faces.to(device, non_blocking=True), labels.to(device, non_blocking=True), drawn

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Augment the training faces of a batch, where that is done on the device."""
        if self.augmentation is None or isinstance(batch, FaceBatch):
            return batch
        faces, labels, drawn = batch
        return self.augmentation(faces, drawn), labels

    def forward(self, faces: Tensor) -> Tensor:
        """Score faces.

        Args:
            faces: B×3×S×S, RGB in [0, 1], any S.

        Returns:
            B logits of *fake*, float32; the sigmoid is the probability.
        """
        prepared = self.face_input(faces)
        if next(self.backbone.parameters()).is_contiguous(memory_format=torch.channels_last):
            prepared = prepared.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.backbone(prepared)
        return logits.squeeze(1).float()

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy with the weight of the fakes; B logits and B labels → the mean."""
        weight = torch.tensor(self.hparams["pos_weight"], device=logits.device)
        return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch of training faces."""
        faces, labels = batch
        ranks = self.trainer.world_size
        with WholeBatch(self.trainer.global_rank, ranks, len(labels)) if ranks > 1 else nullcontext():
            loss = self.loss(self(faces), labels)
        size = len(labels)
        self.log(
            "train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=size, sync_dist=True
        )
        return loss

    def validation_step(self, batch: FaceBatch, batch_idx: int) -> None:
        """Gather the validation loss, AUC and accuracy."""
        logits = self(batch.faces)
        self.auc.update(logits.sigmoid(), batch.labels.long())
        self.accuracy.update(logits.sigmoid(), batch.labels.long())
        size = len(batch.labels)
        self.log("val/loss", self.loss(logits, batch.labels), prog_bar=True, batch_size=size, sync_dist=True)
        self.log("val/auc", self.auc, prog_bar=True, on_epoch=True, batch_size=size)
        self.log("val/accuracy", self.accuracy, on_epoch=True, batch_size=size)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The protocol's optimiser, with a per-step cosine from the learning rate to a fraction of it."""
        options = self.hparams
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimiser: torch.optim.Optimizer
        if self.optimiser == "sgd":
            optimiser = torch.optim.SGD(
                parameters,
                lr=options["learning_rate"],
                momentum=options["momentum"],
                weight_decay=options["weight_decay"],
            )
        else:
            optimiser = torch.optim.AdamW(
                parameters, lr=options["learning_rate"], weight_decay=options["weight_decay"]
            )
        steps = int(self.trainer.estimated_stepping_batches)
        last: float = options["final_learning_rate"]

        def cosine(step: int) -> float:
            return last + (1 - last) * 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, cosine)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
