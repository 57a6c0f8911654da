"""Which epoch is kept, when training stops, and files that appear whole or not at all."""

import signal
import threading
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint

from sr_deepfake.errors import choose
from sr_deepfake.files import replacing

LAST = "last.ckpt"
BEST = "best.ckpt"


class Checkpoints(Checkpoint):
    """Writes `last.ckpt` after every epoch and `best.ckpt` when the validation loss improves; stops when it does not.

    Args:
        folder: where the two files go.
        selection: "best": better than every epoch before (the paper); "previous": better than the epoch before, so
            that the last improvement stays (what the published code does).
        patience: epochs in a row without improvement after which training stops.
    """

    def __init__(self, folder: Path, selection: str = "best", patience: int = 5) -> None:
        self.folder = folder
        self.selection = choose(selection, ["best", "previous"], "protocol.selection")
        self.patience = patience
        self.reference = float("inf")
        self.best_epoch = -1
        self.best_loss = float("inf")
        self.epochs_without_improvement = 0
        self.epochs = 0
        self.last_auc = float("nan")

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Train no further where an interrupted training had come to its end already."""
        self._stop_if_patience_ended(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Judge the epoch by its validation loss, then write the files."""
        # Of several processes that train together the first one decides: what they do next must be the same.
        loss, is_first = trainer.strategy.broadcast(
            (float(trainer.callback_metrics["val/loss"]), not (self.folder / BEST).exists())
        )
        improved = loss < self.reference
        if improved:
            self.best_epoch, self.best_loss = trainer.current_epoch, loss
            self.epochs_without_improvement = 0
        else:
            self.epochs_without_improvement += 1
        if improved or self.selection == "previous":
            self.reference = loss
        self.epochs = trainer.current_epoch + 1
        self.last_auc = float(trainer.callback_metrics["val/auc"])
        self._stop_if_patience_ended(trainer)
        # The state of this object travels in both files, so it is brought up to date first.
        if improved or is_first:
            self._save(trainer, BEST)
        self._save(trainer, LAST)

    def _stop_if_patience_ended(self, trainer: lightning.Trainer) -> None:
        if self.epochs_without_improvement >= self.patience:
            trainer.should_stop = True

    def _save(self, trainer: lightning.Trainer, name: str) -> None:
        if trainer.is_global_zero:
            with replacing(self.folder / name) as beside:
                trainer.save_checkpoint(beside)
        else:
            trainer.save_checkpoint(self.folder / name)  # writes nothing, but the first process waits for all

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training has to know."""
        return {
            "reference": self.reference,
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "epochs_without_improvement": self.epochs_without_improvement,
            "epochs": self.epochs,
            "last_auc": self.last_auc,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where an interrupted training was."""
        for name, value in state_dict.items():
            setattr(self, name, value)


class EpochSeed(lightning.Callback):
    """Seeds torch at the start of each epoch, so that dropout after a resumption is as if there had been none."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Seed from the run's seed and the epoch."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.current_epoch)


class OwnSignals(lightning.Callback):
    """Leaves SIGTERM to whom it was before Lightning: to a queue's handler, or to the system, which ends the process.

    Lightning's own would end the training at the next step as if it were done, though a queue that takes its machine
    back says SIGTERM first and queues the job again only if it still runs. Nothing is lost where there is no handler:
    files appear whole or not at all, and the training goes on from its last epoch.
    """

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Remember whose it is."""
        self.before = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Give it back."""
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self.before)
