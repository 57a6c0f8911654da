import csv
import json
import logging
import signal
from dataclasses import replace

import lightning
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from sklearn.metrics import roc_auc_score

from sr_deepfake.data.loaders import face_loader
from sr_deepfake.detectors import training
from sr_deepfake.detectors.backbones import Weights
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.detectors.store import DetectorStore, Recipe, is_finished, load_detector
from sr_deepfake.detectors.training import check_shares, train_detector
from sr_deepfake.errors import UserError

CPU = Runtime("cpu", "32-true", channels_last=True, workers=0, reason="test")
RECIPE = Recipe(
    model="tiny",
    backbone="test_resnet",
    weights="random",
    forgery="FaceSwap",
    protocol={
        "name": "test",
        "image_size": 48,
        "input": "normalised",
        "optimiser": "adamw",
        "learning_rate": 2e-3,
        "momentum": 0.0,
        "weight_decay": 0.01,
        "batch_size": 8,
        "epochs": 3,
        "final_learning_rate": 0.01,
        "selection": "best",
        "patience": 5,
        "augmentation": {"flip": 0.5, "noise": 0.3, "affine": 0.5},
    },
    data={"name": "test"},
    seed=0,
    precision="32-true",
)


@pytest.fixture
def faces(make_faces, tmp_path):
    rows = make_faces({"train": 20, "val": 6, "test": 8})
    return tmp_path, {split: rows[rows["split"] == split] for split in ("train", "val", "test")}


def train(faces, store, recipe=RECIPE, **options):
    folder, rows = faces
    options = {"runtime": CPU, "progress": False} | options
    return train_detector(
        recipe,
        Weights("random", None),
        rows["train"],
        rows["val"],
        folder,
        store=DetectorStore(store),
        **options,
    )


def weights_of(folder):
    return load_detector(folder).state_dict()


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_detector_learns_what_sets_fakes_apart(faces, tmp_path):
    folder, rows = faces
    longer = replace(
        RECIPE, protocol={**RECIPE.protocol, "epochs": 12, "learning_rate": 1e-2, "augmentation": {}}
    )
    detector = load_detector(train(faces, tmp_path / "store", longer))
    scores, labels = [], []
    for batch in face_loader(rows["test"], folder):
        scores += detector(batch.faces).tolist()
        labels += batch.labels.tolist()
    assert roc_auc_score(labels, scores) > 0.9


class Interrupt(lightning.Callback):
    """Stops the process's training in the middle of an epoch, as a kill would."""

    def __init__(self, epoch, error=RuntimeError):
        self.epoch = epoch
        self.error = error

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 2:
            raise self.error("killed")


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_an_interrupted_training_ends_as_if_undisturbed(faces, tmp_path, monkeypatch, epoch, workers):
    undisturbed = train(faces, tmp_path / "one")
    with monkeypatch.context() as patch:
        patch.setattr(training, "EpochSeed", lambda seed: Interrupt(epoch))
        with pytest.raises(RuntimeError, match="killed"):
            train(faces, tmp_path / "two")
    resumed = train(faces, tmp_path / "two", runtime=replace(CPU, workers=workers))
    assert same(weights_of(undisturbed), weights_of(resumed))
    assert (undisturbed / "finished.json").read_text() == (resumed / "finished.json").read_text()


def test_ctrl_c_reaches_the_program_and_the_training_goes_on_later(faces, tmp_path, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)  # Lightning ignores further signals from then on
    with monkeypatch.context() as patch:
        patch.setattr(training, "EpochSeed", lambda seed: Interrupt(1, KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(faces, tmp_path / "store")
    signal.signal(signal.SIGINT, handler)
    assert is_finished(train(faces, tmp_path / "store"))


def test_a_queue_that_ends_the_process_is_not_taken_for_ctrl_c(faces, tmp_path, monkeypatch):
    """Its exit status says that the job is queued again."""
    with monkeypatch.context() as patch:
        patch.setattr(training, "EpochSeed", lambda seed: Interrupt(1, lambda text: SystemExit(144)))
        with pytest.raises(SystemExit) as ended:
            train(faces, tmp_path / "store")
    assert ended.value.code == 144
    assert is_finished(train(faces, tmp_path / "store"))


def test_slurm_is_not_asked_by_lightning(faces, tmp_path, monkeypatch):
    """Its tasks are the launcher's; with these variables Lightning would refuse to train, or queue the job again."""
    for name, value in {"NTASKS": "2", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert is_finished(train(faces, tmp_path / "store"))


@pytest.mark.parametrize(
    ("train", "val", "devices", "told"),
    [
        (100, 10, 3, r"does not divide a batch of 8 faces .*; 1, 2, 4, 8 do"),
        (7, 10, 2, "a batch of 7 faces"),
        (100, 3, 4, "more than the 3 faces for validation"),
    ],
)
def test_shares_that_would_not_be_equal_are_errors(train, val, devices, told):
    with pytest.raises(UserError, match=told):
        check_shares(RECIPE, train, val, devices)
    check_shares(RECIPE, train, val, 1)


def test_augmentation_on_the_device_is_another_training_and_goes_on_after_an_interruption(
    faces, tmp_path, monkeypatch
):
    on_device = replace(RECIPE, augmented_on="device")
    assert on_device.fingerprint != RECIPE.fingerprint
    plain = replace(RECIPE, protocol={**RECIPE.protocol, "augmentation": {}})
    stores = {place: tmp_path / f"plain {place}" for place in ("loader", "device")}
    one, other = (train(faces, stores[place], recipe=replace(plain, augmented_on=place)) for place in stores)
    assert same(weights_of(one), weights_of(other))  # without an operation it makes no difference where

    whole = train(faces, tmp_path / "whole", recipe=on_device)
    assert not same(weights_of(whole), weights_of(train(faces, tmp_path / "loader")))
    with monkeypatch.context() as patch:
        patch.setattr(training, "EpochSeed", lambda seed: Interrupt(1))
        with pytest.raises(RuntimeError, match="killed"):
            train(faces, tmp_path / "part", recipe=on_device)
    resumed = train(faces, tmp_path / "part", recipe=on_device, runtime=replace(CPU, workers=1))
    assert same(weights_of(resumed), weights_of(whole))


def test_a_finished_detector_is_reused_unless_forced(faces, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    first = train(faces, tmp_path / "store")
    written = (first / "best.ckpt").stat().st_mtime_ns
    assert train(faces, tmp_path / "store") == first
    assert "Reusing the finished detector" in caplog.text
    assert (first / "best.ckpt").stat().st_mtime_ns == written
    before = weights_of(first)
    assert train(faces, tmp_path / "store", force=True) == first
    assert (first / "best.ckpt").stat().st_mtime_ns != written
    assert same(before, weights_of(first))


def test_another_seed_gives_another_detector_in_another_folder(faces, tmp_path):
    one, other = train(faces, tmp_path / "store"), train(faces, tmp_path / "store", replace(RECIPE, seed=1))
    assert one != other
    assert not same(weights_of(one), weights_of(other))


@pytest.mark.parametrize(
    ("selection", "losses", "best", "epochs"),
    [
        ("best", [3.0, 2.0, 2.5, 2.2, 2.4], 1, 4),
        ("previous", [3.0, 2.0, 2.5, 2.2, 2.4], 3, 5),
        ("best", [1.0, 2.0, 2.0, 0.5, 3.0], 0, 3),  # patience ends it before the good one
        ("previous", [1.0, 2.0, 1.5, 1.6, 1.7], 2, 5),
    ],
)
def test_which_epoch_is_kept(faces, tmp_path, monkeypatch, selection, losses, best, epochs):
    monkeypatch.setattr(
        training.Detector,
        "validation_step",
        lambda self, batch, index: self.log_dict(
            {"val/loss": losses[self.current_epoch], "val/auc": 0.5}, batch_size=len(batch.labels)
        ),
    )
    protocol = {**RECIPE.protocol, "epochs": 5, "patience": 2, "selection": selection}
    folder = train(faces, tmp_path / "store", replace(RECIPE, protocol=protocol))
    kept = torch.load(folder / "best.ckpt", weights_only=True)
    assert kept["epoch"] == best
    assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] == epochs - 1
    assert is_finished(folder)


@pytest.mark.parametrize("patience", [1, 9])
def test_killed_before_it_is_marked_finished_no_epoch_is_added(faces, tmp_path, monkeypatch, patience):
    losses = [3.0, 3.5, 0.5]  # patience 1 ends before the third, which would have been the best
    monkeypatch.setattr(
        training.Detector,
        "validation_step",
        lambda self, batch, index: self.log_dict(
            {"val/loss": losses[self.current_epoch], "val/auc": 0.5}, batch_size=len(batch.labels)
        ),
    )
    recipe = replace(RECIPE, protocol={**RECIPE.protocol, "epochs": 3, "patience": patience})
    undisturbed = train(faces, tmp_path / "one", recipe)
    with monkeypatch.context() as patch:

        def killed(path, content):
            raise RuntimeError("killed")

        patch.setattr(training, "write_json", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(faces, tmp_path / "two", recipe)
    resumed = train(faces, tmp_path / "two", recipe)
    assert same(weights_of(undisturbed), weights_of(resumed))
    summary = json.loads((resumed / "finished.json").read_text())
    assert summary == json.loads((undisturbed / "finished.json").read_text())
    assert summary["epochs"] == (2 if patience == 1 else 3)


def test_provenance_is_written_by_the_training_alone(faces, tmp_path):
    folder = train(faces, tmp_path / "store", provenance=lambda: {"command": "the first"})
    train(faces, tmp_path / "store", provenance=lambda: {"command": "one that reuses it"})
    assert json.loads((folder / "provenance.json").read_text()) == {"command": "the first"}


def test_losses_rate_and_validation_are_logged(faces, tmp_path):
    train(faces, tmp_path / "store", logger=CSVLogger(tmp_path / "log", name="", version=""))
    with open(tmp_path / "log" / "metrics.csv") as file:
        columns = set(csv.DictReader(file).fieldnames)
    assert {"train/loss_step", "train/loss_epoch", "val/loss", "val/auc", "val/accuracy", "epoch"} <= columns
    assert any(column.startswith("lr-") for column in columns)


def test_a_set_of_one_class_is_an_error_that_names_the_command(faces, tmp_path):
    folder, rows = faces
    rows["val"] = rows["val"][rows["val"]["label"] == 0]
    with pytest.raises(UserError, match=r"validation set .* sr_deepfake\.prepare"):
        train((folder, rows), tmp_path / "store")
