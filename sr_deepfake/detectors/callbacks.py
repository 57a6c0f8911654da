"""Callbacks and plugins of a training and a test, where Lightning has none of its own."""

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
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
    """Gathers the predictions of a test, one row a face, and writes them when it ends.

    Args:
        path: of the Parquet file; see `sr_deepfake.metrics.predictions` for its columns. What needs attacked faces is
            NaN where there are none.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._tables: list[pd.DataFrame] = []

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin anew."""
        self._tables = []

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: FaceBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Take in the scores of a batch, and how alike clean and attacked faces are."""
        table = (
            batch.rows[list(FROM_MANIFEST)]
            .reset_index(drop=True)
            .assign(**dict.fromkeys(MEASURED, float("nan")))
        )
        if not isinstance(outputs, Mapping):
            raise TypeError("the module's test_step has to return the scores by name, as Detector's does")
        for name, scores in outputs.items():
            table[name] = scores.cpu().numpy()
        if batch.attacked is not None:
            pair = (batch.faces, batch.attacked)
            # As the paper's table 3 was measured: both as the published code makes pictures of 224 px of them.
            at_224 = [resize_faces(faces, 224, "authors") for faces in pair]
            for name, values in (
                ("ssim", ssim(*pair)),
                ("psnr", psnr(*pair)),
                ("ssim_224", ssim(*at_224)),
                ("psnr_224", psnr(*at_224)),
                ("psnr_224_wrapped", psnr_wrapped(*at_224)),
            ):
                table[name] = values.cpu().numpy()
        self._tables.append(table)

    def on_test_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the file, whole or not at all."""
        write_predictions(self.path, pd.concat(self._tables, ignore_index=True))


class Resumption(lightning.Callback):
    """Makes a resumed training the one that was never interrupted.

    torch is seeded at the start of each epoch, for dropout. A training that early stopping had ended trains no further.
    And the first epoch has its own faces: Lightning starts loading processes before it knows which epoch it resumes.

    Args:
        seed: of the training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """End at once where the patience was at its end; let the loading processes begin with the right epoch."""
        for callback in trainer.early_stopping_callbacks:
            if isinstance(callback, EarlyStopping) and (
                callback.stopped_epoch or callback.wait_count >= callback.patience
            ):
                trainer.should_stop = True
        sampler: Any = getattr(trainer.train_dataloader, "sampler", None)
        if trainer.current_epoch > 0 and hasattr(sampler, "set_epoch"):
            sampler.set_epoch(trainer.current_epoch)
            iter(trainer.fit_loop._data_fetcher)  # type: ignore[arg-type]  # there is one by now

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed from the training's seed and the epoch."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)


class PreviousEpochCheckpoint(ModelCheckpoint):
    """Keeps the last epoch that was better than the one before it, as the published code does; losses in 2 decimals."""

    previous = float("inf")

    def check_monitor_top_k(self, trainer: lightning.Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is to be kept; the first one is in any case."""
        loss = round(float("inf" if current is None else current), 2)
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
    """Counts epochs that were no better than the one before them, as the published code does; losses in 2 decimals."""

    def _evaluate_stopping_criteria(self, current: Tensor) -> tuple[bool, str | None]:
        rounded = torch.round(current, decimals=2)
        result = super()._evaluate_stopping_criteria(rounded)
        self.best_score = rounded  # the next epoch is held against this one
        return result


class WholeFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, on any file system.

    Lightning's own writes to the system's temporary folder first; from there to another disk a file is copied, and a
    kill leaves half of it.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write a checkpoint."""
        with replacing(Path(path)) as beside:
            torch.save(checkpoint, beside)


class OwnSignals(lightning.Callback):
    """Leaves SIGTERM to whom it was before Lightning: to a queue's handler, or to the system, which ends the process.

    Lightning's own would end the training at the next step as if it were done, though a queue that takes its machine
    back says SIGTERM first and queues the job again only if it still runs. Nothing is lost where there is no handler:
    files appear whole or not at all, and the training goes on from its last epoch.
    """

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Remember whose it is."""
        self._before = signal.getsignal(signal.SIGTERM)

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Give it back before a test."""
        self.on_train_start(trainer, pl_module)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Give it back."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)
