"""How far a training or a test is: Lightning's bar on a terminal, otherwise a log line now and then."""

import logging
import math
import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar

from sr_deepfake.system.console import log_every, on_a_terminal, step_of, time_left

log = logging.getLogger(__name__)


def progress_bar(refresh_rate: int = 5) -> ProgressBar:
    """Lightning's progress bar where standard output is a terminal, else `ProgressLines`."""
    return TQDMProgressBar(refresh_rate=refresh_rate) if on_a_terminal() else ProgressLines()


class ProgressLines(ProgressBar):
    """Logs how far it is, every half minute at most, with what was measured last and how long the rest takes."""

    _enabled = True

    def disable(self) -> None:
        """Be silent: Lightning asks for it on all processes but the first."""
        self._enabled = False

    def enable(self) -> None:
        """Speak again."""
        self._enabled = True

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to count the time."""
        self._last = self._began = time.monotonic()
        self._before = trainer.global_step  # of a training that goes on

    on_test_start = on_predict_start = on_train_start

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say the epoch, the batch and what the trainer shows on a bar."""
        shown = self.get_metrics(trainer, pl_module)
        shown.pop("v_num", None)
        texts = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in shown.items()}
        measured = "".join(f", {name} {text}" for name, text in texts.items())
        epoch = f"{step_of('Training')}, epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        steps = (trainer.global_step - self._before, trainer.estimated_stepping_batches - self._before)
        self._say(epoch, batch_idx, self.total_train_batches, steps, measured)

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say the batch."""
        total = trainer.num_test_batches[dataloader_idx]
        self._say(step_of("Testing"), batch_idx, total, (batch_idx + 1, total))

    def on_predict_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Say the batch."""
        total = trainer.num_predict_batches[dataloader_idx]
        self._say("Predicting", batch_idx, total, (batch_idx + 1, total))

    def _say(
        self, what: str, batch: int, total: int | float, steps: tuple[int, int | float], measured: str = ""
    ) -> None:
        now = time.monotonic()
        if self._enabled and now - self._last >= log_every():
            self._last = now
            left = f", {time_left(*steps, now - self._began)}" if math.isfinite(steps[1]) else ""
            log.info("%s: %d of %s batches%s%s", what, batch + 1, total, left, measured)
