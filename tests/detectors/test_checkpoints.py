import signal
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sr_deepfake.detectors.checkpoints import Checkpoints, EpochSeed, OwnSignals
from sr_deepfake.errors import UserError


def dropped(seed, epoch, used_before=0):
    """What dropout leaves in an epoch, after some random numbers of earlier epochs."""
    torch.rand(used_before)
    EpochSeed(seed).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
    return nn.Dropout(0.5)(torch.ones(64))


def test_dropout_depends_on_seed_and_epoch_and_on_nothing_before():
    assert torch.equal(dropped(0, 3), dropped(0, 3, used_before=100))
    assert not torch.equal(dropped(0, 3), dropped(0, 4))
    assert not torch.equal(dropped(0, 3), dropped(1, 3))


def test_a_resumed_training_knows_what_the_interrupted_one_knew(tmp_path):
    losses = [3.0, 2.0, 2.5, 2.6]

    class Trainer:
        is_global_zero = True
        strategy = SimpleNamespace(broadcast=lambda decision: decision)

        def __init__(self, epoch):
            self.current_epoch, self.should_stop = epoch, False
            self.callback_metrics = {"val/loss": torch.tensor(losses[epoch]), "val/auc": torch.tensor(0.5)}

        def save_checkpoint(self, path):
            path.write_text(str(self.current_epoch))

    def epochs(callback, numbers):
        stopped = []
        for number in numbers:
            trainer = Trainer(number)
            callback.on_train_epoch_end(trainer, None)
            stopped.append(trainer.should_stop)
        return stopped

    first = Checkpoints(tmp_path, patience=2)
    assert epochs(first, [0, 1, 2]) == [False, False, False]
    second = Checkpoints(tmp_path, patience=2)
    second.load_state_dict(first.state_dict())
    assert epochs(second, [3]) == [True]
    assert (second.best_epoch, second.best_loss) == (1, 2.0)
    # Killed right after that, before it was written down that the training is finished:
    third, trainer = Checkpoints(tmp_path, patience=2), Trainer(4 - 1)
    third.load_state_dict(second.state_dict())
    third.on_train_start(trainer, None)
    assert trainer.should_stop
    assert third.epochs == 4
    assert (tmp_path / "best.ckpt").read_text() == "1"
    assert (tmp_path / "last.ckpt").read_text() == "3"


def test_an_unknown_selection_names_the_choices(tmp_path):
    with pytest.raises(UserError, match="best, previous"):
        Checkpoints(tmp_path, selection="last")


def test_other_processes_decide_as_the_first_and_write_nothing(tmp_path):
    """Whatever their own loss is, and whatever they see of the files."""
    saved = []
    trainer = SimpleNamespace(
        is_global_zero=False, current_epoch=0, should_stop=False, save_checkpoint=saved.append,
        callback_metrics={"val/loss": torch.tensor(1.0), "val/auc": torch.tensor(0.5)},
        strategy=SimpleNamespace(broadcast=lambda decision: (0.5, False)),
    )  # fmt: skip
    callback = Checkpoints(tmp_path)
    callback.on_train_epoch_end(trainer, None)
    assert callback.best_loss == 0.5
    assert [path.name for path in saved] == ["best.ckpt", "last.ckpt"]  # the first waits for them in both
    trainer.strategy.broadcast = lambda decision: (0.7, True)
    callback.on_train_epoch_end(trainer, None)
    assert [path.name for path in saved[2:]] == ["best.ckpt", "last.ckpt"]
    assert list(tmp_path.iterdir()) == []


def test_sigterm_is_whose_it_was_before_lightning():
    before = signal.getsignal(signal.SIGTERM)
    callback = OwnSignals()
    try:
        callback.setup(None, None, "fit")
        signal.signal(signal.SIGTERM, lambda number, frame: None)  # what Lightning does
        callback.on_train_start(None, None)
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, before)
