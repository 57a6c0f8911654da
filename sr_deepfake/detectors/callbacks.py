"""Callbacks and plugins of a training and a test, where Lightning has none of its own."""

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor

from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.data.images import resize_faces
from sr_deepfake.metrics.predictions import FROM_MANIFEST, MEASURED, write_predictions
from sr_deepfake.metrics.similarity import psnr, psnr_wrapped, ssim
from sr_deepfake.system.files import replacing

BEST, LAST = "best.ckpt", "last.ckpt"


class PredictionWriter(lightning.Callback):
    """Collects the predictions of a test, one row a face, and writes them when it ends.

    Args:
        path: of the Parquet file; see `sr_deepfake.metrics.predictions` for its columns. What needs attacked faces is
            NaN where there are none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._tables: list[pd.DataFrame] = []

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start over."""
        self._tables = []

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: FaceBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Take in the scores of a batch, and how alike clean and attacked faces are."""
        table = batch.rows[list(FROM_MANIFEST)].assign(**dict.fromkeys(MEASURED, float("nan")))
        if not isinstance(outputs, Mapping):
            raise TypeError("the module's test_step must return logits by name, as Detector's does")
        for name, logits in outputs.items():
            table[name] = logits.cpu().numpy()
            table[name.replace("logit", "score")] = torch.sigmoid(logits.cpu().double()).numpy()
        if batch.attacked is not None:
            pair = (batch.faces, batch.attacked)
            # As the paper's table 3 was measured: both as the published code makes pictures of 224 px of them.
            at_224 = [resize_faces(faces, 224, "authors") for faces in pair]
            alike = {"ssim": ssim(*pair), "psnr": psnr(*pair), "ssim_224": ssim(*at_224), "psnr_224": psnr(*at_224)}
            alike["psnr_224_wrapped"] = psnr_wrapped(*at_224)
            table = table.assign(**{name: values.cpu().numpy() for name, values in alike.items()})
        self._tables.append(table)

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the file, whole or not at all."""
        # By side, then as in the manifest, however they came in batches.
        write_predictions(self.path, pd.concat(self._tables).sort_index().sort_values("side", kind="stable"))


class Resumption(lightning.Callback):
    """Makes a resumed training the one that was never interrupted.

    torch is seeded at the start of each epoch, for dropout. A training that early stopping had ended trains no further.
    And the first epoch has its own faces: Lightning starts loading processes before it knows which epoch it resumes.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End at once where the patience was at its end; let the loading processes begin with the right epoch."""
        for callback in trainer.early_stopping_callbacks:
            ended = callback.stopped_epoch or 0 < callback.wait_count >= callback.patience
            trainer.should_stop = trainer.should_stop or bool(ended)
        sampler: Any = getattr(trainer.train_dataloader, "sampler", None)
        if trainer.current_epoch > 0 and hasattr(sampler, "set_epoch"):
            sampler.set_epoch(trainer.current_epoch)
            iter(trainer.fit_loop._data_fetcher)  # type: ignore[arg-type]  # there is one by now

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed from the training's seed and the epoch."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)


class RoundedLoss(lightning.Callback):
    """Logs `val/rounded_loss`, by which the published code chooses an epoch: the mean of its batches' losses, to two decimals.

    The published batches are drawn at random; here from a seed and the epoch.
    """

    def __init__(self, batch_size: int = 32, seed: int = 0) -> None:
        self.batch_size, self.seed = batch_size, seed
        self._found: list[tuple[Tensor, Tensor]] = []

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start over."""
        self._found = []

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: FaceBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Collect the logits."""
        self._found.append((outputs.detach(), batch.labels))

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Log the mean."""
        logits, labels = (torch.cat(parts) for parts in zip(*self._found, strict=True))
        random = np.random.default_rng([self.seed, trainer.current_epoch])
        order = torch.as_tensor(random.permutation(len(logits)), device=logits.device)
        batches = zip(logits[order].split(self.batch_size), labels[order].split(self.batch_size), strict=True)
        losses = [round(float(pl_module.loss(*batch)), 2) for batch in batches]
        pl_module.log("val/rounded_loss", sum(losses) / len(losses), sync_dist=True)


class PreviousEpochCheckpoint(ModelCheckpoint):
    """Keeps the last epoch that was better than the one before it, as the published code does."""

    previous = float("inf")

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is to be kept; the first one is in any case."""
        loss = float("inf" if current is None else current)
        better = loss < self.previous or not self.best_k_models
        self.previous = loss
        return bool(trainer.strategy.broadcast(better))

    def state_dict(self) -> dict[str, Any]:
        """State that a resumed training needs."""
        return super().state_dict() | {"previous": self.previous}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where an interrupted training was."""
        self.previous = state_dict.pop("previous")
        super().load_state_dict(state_dict)


class PreviousEpochStopping(EarlyStopping):
    """Counts epochs that were no better than the one before them, as the published code does."""

    def _evaluate_stopping_criteria(self, current: Tensor) -> tuple[bool, str | None]:
        result = super()._evaluate_stopping_criteria(current)
        self.best_score = current  # the next epoch is compared with this one
        return result


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, also where Lightning's own would copy them from another disk."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write a checkpoint."""
        with replacing(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


class OwnSignals(lightning.Callback):
    """Leaves SIGTERM to whom it was before Lightning: to a queue's handler, or to the system, which ends the process.

    Lightning's own would end the training at the next step as if it were done, and the queue would not queue the job again.
    """

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Remember whose it is."""
        self._before = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Give it back."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    on_test_start = on_train_start
