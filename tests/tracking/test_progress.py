import logging
import sys

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from torch.utils.data import DataLoader, TensorDataset

from sr_deepfake.tracking import progress
from sr_deepfake.tracking.progress import ProgressLines, progress_bar


class Line(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, _):
        loss = self.layer(batch[0]).square().mean()
        self.log("loss of it", loss.detach(), prog_bar=True)
        return loss

    def test_step(self, batch, batch_idx):
        return None

    def predict_step(self, batch, _):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


LOADER = DataLoader(TensorDataset(torch.ones(6, 1)), batch_size=2)


def trainer():
    return lightning.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_model_summary=False,
        callbacks=[progress_bar()],
    )  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    """Seconds, ten a look."""
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == progress.__name__]


@pytest.mark.filterwarnings("ignore")
def test_a_line_comes_every_half_minute_and_no_bar_is_drawn(clock, caplog, capfd):
    caplog.set_level(logging.INFO)
    trainer().fit(Line(), LOADER)
    first, second = lines(caplog)  # six batches of ten seconds
    assert first.startswith("Training, epoch 1 of 2: 3 of 3 batches, 0:30 left, loss of it ")
    assert second.startswith("Training, epoch 2 of 2: 3 of 3 batches, 0:00 left, loss of it ")
    caplog.clear()
    trainer().test(Line(), LOADER, verbose=False)
    trainer().predict(Line(), LOADER)
    assert lines(caplog) == ["Testing: 3 of 3 batches, 0:00 left", "Predicting: 3 of 3 batches, 0:00 left"]
    assert "it/s" not in "".join(capfd.readouterr())


@pytest.mark.filterwarnings("ignore")
def test_it_is_silent_where_lightning_asks_for_it(clock, caplog):
    caplog.set_level(logging.INFO)
    quiet = trainer()
    quiet.progress_bar_callback.disable()
    quiet.test(Line(), LOADER, verbose=False)
    assert not lines(caplog)
    quiet.progress_bar_callback.enable()
    quiet.test(Line(), LOADER, verbose=False)
    assert lines(caplog)


def test_on_a_terminal_it_is_lightnings_bar(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    bar = progress_bar(refresh_rate=7)
    assert isinstance(bar, TQDMProgressBar)
    assert bar.refresh_rate == 7
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert isinstance(progress_bar(), ProgressLines)
