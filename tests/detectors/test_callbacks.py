import shutil
import signal
import threading
from types import SimpleNamespace

import cv2
import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from face_crops import write_faces
from scipy.special import expit
from small_training import fit, same, tiny_data, tiny_detector, tiny_trainer, weights
from torch import nn

from sr_deepfake.attacks.corruptions import BlurAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.detectors.callbacks import (
    OwnSignals,
    PredictionWriter,
    PreviousEpochCheckpoint,
    PreviousEpochStopping,
    Resumption,
    RoundedLoss,
    WholeFiles,
)
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.registry import interrupted
from sr_deepfake.metrics.predictions import COLUMNS
from sr_deepfake.metrics.similarity import psnr, psnr_wrapped, ssim

AUGMENTED = {"augmentation": {"flip": 0.5, "noise": 0.3, "affine": 0.5}}
RULES = {"best": {}, "previous": {"checkpoint": PreviousEpochCheckpoint, "stopping": PreviousEpochStopping}}


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    write_faces(folder, {"train": 20, "val": 6, "test": 8})
    return folder


@pytest.fixture(scope="module")
def undisturbed(faces, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    fit(folder, tiny_data(faces, **AUGMENTED))
    return folder


def dropped(seed, epoch):
    """What dropout leaves in an epoch."""
    Resumption(seed).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
    return nn.Dropout(0.5)(torch.ones(64))


def test_dropout_depends_on_seed_and_epoch_and_on_nothing_before():
    first = dropped(0, 3)
    assert torch.equal(first, dropped(0, 3))
    assert not torch.equal(first, dropped(0, 4))
    assert not torch.equal(first, dropped(1, 3))


class Interrupt(lightning.Callback):
    """Stops the training in the middle of an epoch, as a kill would."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 2:
            raise RuntimeError("killed")


@pytest.mark.parametrize(("epoch", "workers"), [(0, 0), (1, 0), (2, 0), (1, 1)])
def test_an_interrupted_training_ends_as_if_undisturbed(faces, undisturbed, tmp_path, epoch, workers):
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path, tiny_data(faces, **AUGMENTED), callbacks=[Interrupt(epoch)])
    fit(tmp_path, tiny_data(faces, workers=workers, **AUGMENTED))
    assert same(weights(undisturbed), weights(tmp_path))
    assert same(weights(undisturbed, "last.ckpt"), weights(tmp_path, "last.ckpt"))


def losing(monkeypatch, losses):
    """Validation that has these losses, epoch by epoch."""
    monkeypatch.setattr(
        Detector,
        "validation_step",
        lambda self, batch, index: self.log("val/loss", losses[self.current_epoch], batch_size=len(batch.labels)),
    )
    monkeypatch.setattr(Detector, "on_validation_epoch_end", lambda self: None)


@pytest.mark.parametrize(
    ("rule", "losses", "best", "epochs"),
    [
        ("best", [3.0, 2.0, 2.5, 2.2, 2.4], 1, 4),
        ("previous", [3.0, 2.0, 2.5, 2.2, 2.4], 3, 5),
        ("best", [1.0, 2.0, 2.0, 0.5, 3.0], 0, 3),  # patience ends it before the good one
        ("previous", [1.0, 2.0, 1.5, 1.6, 1.7], 2, 5),
        ("previous", [3.0, 3.5, 3.6, 0.5, 0.4], 0, 3),
        ("previous", [1.0, 0.998, 0.997, 0.996, 0.995], 4, 5),  # a mean is not rounded: each is better than the last
    ],
)
def test_which_epoch_is_kept_and_what_had_ended_is_not_trained_further(
    faces, tmp_path, monkeypatch, rule, losses, best, epochs
):
    losing(monkeypatch, losses)
    options = {"max_epochs": 5, "patience": 2, "limit_train_batches": 1} | RULES[rule]
    for _ in range(2):
        fit(tmp_path, tiny_data(faces), **options)
        kept = [torch.load(tmp_path / name, weights_only=True)["epoch"] for name in ("best.ckpt", "last.ckpt")]
        assert kept == [best, epochs - 1]


def test_without_patience_the_first_epoch_that_is_no_better_is_the_last(faces, tmp_path, monkeypatch):
    losing(monkeypatch, [3.0, 2.0, 2.5, 1.0])
    for _ in range(2):
        fit(tmp_path, tiny_data(faces), max_epochs=4, patience=0, limit_train_batches=1, **RULES["best"])
        assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 2


def test_the_published_loss_is_the_mean_of_rounded_losses_of_batches(faces):
    """What the published script compares: each batch of 32 (here 4), rounded to two decimals; their mean is not."""
    data, detector = tiny_data(faces), tiny_detector().eval()
    trainer = tiny_trainer(callbacks=[RoundedLoss(batch_size=4, seed=1)])
    trainer.validate(detector, datamodule=data, verbose=False)
    batches = list(data.val_dataloader())
    with torch.no_grad():
        logits = torch.cat([detector(batch.faces) for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    order = torch.as_tensor(np.random.default_rng([1, 0]).permutation(12))
    losses = [round(float(detector.loss(logits[part], labels[part])), 2) for part in order.split(4)]
    assert trainer.logged_metrics["val/rounded_loss"].item() == pytest.approx(sum(losses) / 3, abs=1e-6)


@pytest.mark.parametrize("rule", ["best", "previous"])
def test_a_resumed_training_knows_which_epoch_was_best_though_its_folder_was_moved(faces, tmp_path, monkeypatch, rule):
    losing(monkeypatch, [3.0, 2.0, 2.5, 2.6, 2.7])
    options = {"patience": 9, "max_epochs": 5} | RULES[rule]
    with pytest.raises(RuntimeError, match="killed"):
        fit(tmp_path / "kept", tiny_data(faces), callbacks=[Interrupt(2)], **options)
    folder = shutil.move(tmp_path / "kept", tmp_path / "moved")
    assert interrupted(folder) == folder / "last.ckpt"
    fit(folder, tiny_data(faces), **options)
    assert torch.load(folder / "best.ckpt", weights_only=True)["epoch"] == 1


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "last.ckpt"
    WholeFiles().save_checkpoint({"epoch": 1}, path)
    with pytest.raises(TypeError, match="pickle"):  # in the middle of the file
        WholeFiles().save_checkpoint({"epoch": 2, "lock": threading.Lock()}, path)
    assert list(tmp_path.iterdir()) == [path]
    assert torch.load(path, weights_only=True) == {"epoch": 1}


def test_predictions_are_one_row_a_face(faces, tmp_path):
    path, detector = tmp_path / "p.parquet", tiny_detector().eval()
    data = tiny_data(faces, attack=BlurAttack(sigma=1.0))
    tiny_trainer(callbacks=[PredictionWriter(path)]).test(detector, datamodule=data, verbose=False)
    table = pd.read_parquet(path).set_index("face_id")
    assert tuple(pd.read_parquet(path).columns) == COLUMNS
    rows = data.rows("test").set_index("face_id")
    assert sorted(table.index) == sorted(rows.index)
    for face_id, row in table.iterrows():
        clean = read_face(faces / rows.loc[face_id, "path"])[None].float() / 255
        attacked = data.attack(clean)
        with torch.no_grad():
            scores = [detector(picture).double().sigmoid().item() for picture in (clean, attacked)]
        assert [row["score"], row["score_attacked"]] == pytest.approx(scores, abs=1e-5)
        assert expit(row["logit"]) == pytest.approx(row["score"])
        assert row["cluster"] == rows.loc[face_id, "cluster"]
        # The last three as the published script measures: files of 224 px, by OpenCV.
        levels = [(picture[0] * 255).round().byte().permute(1, 2, 0).numpy() for picture in (clean, attacked)]
        small = [cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA) for picture in levels]
        at_224 = [torch.from_numpy(picture).permute(2, 0, 1)[None] / 255 for picture in small]
        alike = [ssim(clean, attacked), psnr(clean, attacked), ssim(*at_224), psnr(*at_224), psnr_wrapped(*at_224)]
        assert row[["ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped"]].tolist() == pytest.approx(
            torch.cat(alike).tolist()
        )
        assert (row["label"], row["side"]) == (rows.loc[face_id, "label"], clean.shape[-1])


def test_without_an_attack_there_are_clean_scores_only_and_a_second_test_starts_over(faces, tmp_path):
    writer = PredictionWriter(tmp_path / "p.parquet")
    trainer = tiny_trainer(callbacks=[writer])
    for _ in range(2):
        trainer.test(tiny_detector(), datamodule=tiny_data(faces), verbose=False)
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert len(table) == 16
    assert table["score"].notna().all()
    assert table[["score_attacked", "ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped"]].isna().all(axis=None)


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
