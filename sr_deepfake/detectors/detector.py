"""The deepfake detector as a LightningModule: training, validation and test of a backbone of timm."""

import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from timm.layers import convert_sync_batchnorm
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.detectors.preprocessing import FaceInput
from sr_deepfake.detectors.pretrained import pretrained_backbone
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.metrics.collection import DetectorMetrics
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.hardware import forbid_tf32

log = logging.getLogger(__name__)


class Detector(TestedDetector):
    """A detector that is trained here: faces of any side → one logit of *fake* a face.

    Trained with binary cross-entropy. Validation logs `val/loss` and `val/fnr`, `val/fpr`, ….

    Args:
        backbone: name of a timm model.
        label: short name, for folders and tables; None: the backbone's.
        pretrained: "true": start from ImageNet weights; "auto": from random ones, with a warning, where there are none;
            "false": from random ones.
        weights: file that it starts from instead, see `pretrained_backbone`; `pretrained` is not "false" then.
        image_size: input side of the backbone, in pixels.
        input: "normalised": with the backbone's mean and standard deviation; "bgr255": BGR in [0, 255], as published.
        resize: how faces are brought to the backbone's input side, see `resize_faces`.
        pos_weight: weight of the fakes in the loss; None: what the data module says (pristine faces a fake).
        optimizer: parameters → optimiser; None: SGD with a learning rate of 0.01 (the paper's section 4.2).
        scheduler: optimiser → schedule, which gets the number of steps as `T_max`, `total_steps` or `total_iters` if it
            has such an argument that is not given; None: a constant rate.
        channels_last: memory format of the backbone, which most devices are faster with.

    Raises:
        UserError: timm knows no such backbone, or its weights cannot be had.

    Example:
        >>> detector = Detector("resnet18", image_size=64).eval()
        >>> detector(torch.rand(2, 3, 96, 96)).shape
        torch.Size([2])
    """

    pos_weight: Tensor

    def __init__(
        self,
        backbone: str,
        label: str | None = None,
        pretrained: object = False,
        weights: str | None = None,
        image_size: int = 224,
        input: str = "normalised",
        resize: str = "bilinear",
        pos_weight: float | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        # Plain values alone, so that a checkpoint can be loaded safely; it has weights of its own.
        self.save_hyperparameters(ignore=["pretrained", "weights", "optimizer", "scheduler"])
        self.label = label or backbone
        self.backbone, self.weights = pretrained_backbone(backbone, pretrained, image_size, weights)
        if channels_last:
            self.backbone.to(memory_format=torch.channels_last)
        config: Any = self.backbone.pretrained_cfg
        if choose(input, ["normalised", "bgr255"], "protocol.input") == "bgr255":
            self.face_input = FaceInput(image_size, channels="bgr", range=255, resize=resize)
        else:
            self.face_input = FaceInput(image_size, config["mean"], config["std"], resize=resize)
        self.register_buffer("pos_weight", torch.tensor(1.0 if pos_weight is None else pos_weight))
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.val_metrics = DetectorMetrics()

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Score faces.

        Args:
            faces: B×3×S×S, RGB in [0, 1], any S.
            attacked: whether they are attacked ones; matters with `resize="authors"` alone.

        Returns:
            B logits of *fake*, float32; the sigmoid is the probability.
        """
        prepared = self.face_input(faces, attacked)
        if self.hparams["channels_last"]:
            prepared = prepared.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.backbone(prepared)
        return logits.squeeze(1).float()

    def features(self, faces: Tensor) -> Tensor:
        """The features of faces (B×3×S×S in [0, 1]) before the last layer: B×D, differentiable."""
        backbone: Any = self.backbone
        pooled: Tensor = backbone.forward_head(backbone.forward_features(self.face_input(faces)), pre_logits=True)
        return pooled.float()

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy with the weight of the fakes; B logits and B labels → the mean."""
        return F.binary_cross_entropy_with_logits(logits, labels, pos_weight=self.pos_weight)

    def setup(self, stage: str) -> None:
        """Before a training: take the weight of the fakes from the data, and synchronise batch normalisation."""
        if stage != "fit":
            return
        if self.hparams["pos_weight"] is None:
            weight = getattr(getattr(self.trainer, "datamodule", None), "pos_weight", 1.0)
            self.pos_weight.fill_(weight)
        self.check_devices(self.trainer.world_size, self.trainer.strategy.root_device)
        if self.trainer.world_size > 1:
            # timm's, since torch's own drops the activation that timm's layers carry.
            self.backbone = convert_sync_batchnorm(self.backbone)

    def check_devices(self, devices: int, kind: torch.device) -> None:
        """See that several devices can train this detector together."""
        has_batch_norm = any(isinstance(module, _BatchNorm) for module in self.backbone.modules())
        if devices > 1 and has_batch_norm and kind.type != "cuda":
            raise UserError(
                f"Batch normalisation cannot be synchronised on this device ({kind.type}): several processes cannot "
                "train this model here. Use trainer=cpu, or a model with layer normalisation, as model=swin"
            )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch of training faces."""
        faces, labels = batch
        loss = self.loss(self(faces), labels)
        count = len(labels)
        self.log("train/loss", loss, prog_bar=True, on_step=True, on_epoch=True, batch_size=count, sync_dist=True)
        return loss

    def on_fit_start(self) -> None:
        """Compute float32 with all its bits: no TF32, neither in matrix products nor in convolutions."""
        forbid_tf32()

    def validation_step(self, batch: FaceBatch, batch_idx: int) -> Tensor:
        """Collect loss and metrics; return the B logits."""
        logits = self.logits(batch.faces)
        self.log("val/loss", self.loss(logits, batch.labels), prog_bar=True, batch_size=len(logits), sync_dist=True)
        self.val_metrics.update(logits, batch.labels)
        return logits

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the epoch."""
        self.log_metrics("val/", self.val_metrics)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser and, stepped after every batch, the schedule."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        steps = 0 if self.scheduler is None else self.trainer.estimated_stepping_batches
        try:
            optimizer = (self.optimizer or partial(torch.optim.SGD, lr=0.01, weight_decay=1e-7))(parameters)
            if self.scheduler is None:
                return optimizer
            free = inspect.signature(self.scheduler).parameters.keys() - getattr(self.scheduler, "keywords", {}).keys()
            lengths = free & {"T_max", "total_steps", "total_iters"}
            schedule = self.scheduler(optimizer, **dict.fromkeys(lengths, steps))
        except (TypeError, ValueError) as error:
            raise UserError(f"protocol.optimizer, protocol.scheduler: {error}") from error
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
