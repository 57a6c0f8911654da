import shutil
import signal
from types import SimpleNamespace

import cv2
import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from face_crops import write_faces
from scipy.special import expit
from skimage.metrics import structural_similarity
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


def dropped(seed, epoch, used_before=0):
    """What dropout leaves in an epoch, after some random numbers of earlier epochs."""
    torch.rand(used_before)
    Resumption(seed).on_train_epoch_start(SimpleNamespace(current_epoch=epoch), None)
    return nn.Dropout(0.5)(torch.ones(64))


def test_dropout_depends_on_seed_and_epoch_and_on_nothing_before():
    assert torch.equal(dropped(0, 3), dropped(0, 3, used_before=100))
    assert not torch.equal(dropped(0, 3), dropped(0, 4))
    assert not torch.equal(dropped(0, 3), dropped(1, 3))


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
        ("previous", [1.0, 0.998, 0.997, 0.996, 0.995], 4, 5),  # a mean is not rounded: each is better than the last
    ],
)
def test_which_epoch_is_kept(faces, tmp_path, monkeypatch, rule, losses, best, epochs):
    losing(monkeypatch, losses)
    options = {"max_epochs": 5, "patience": 2, "limit_train_batches": 1} | RULES[rule]
    fit(tmp_path / "kept", tiny_data(faces), **options)
    kept = [torch.load(tmp_path / "kept" / name, weights_only=True)["epoch"] for name in ("best.ckpt", "last.ckpt")]
    assert kept == [best, epochs - 1]


def test_the_published_loss_is_the_mean_of_rounded_losses_of_batches(faces, monkeypatch):
    """What the published script compares: each batch of 32 (here 4), rounded to two decimals; their mean is not."""
    seen = []
    log = Detector.log

    def noted(self, name, value, **options):
        seen.extend([float(value)] if name == "val/rounded_loss" else [])
        log(self, name, value, **options)

    monkeypatch.setattr(Detector, "log", noted)
    data, detector = tiny_data(faces), tiny_detector().eval()
    trainer = tiny_trainer(callbacks=[RoundedLoss(batch_size=4, seed=1)])
    trainer.validate(detector, datamodule=data, verbose=False)
    batches = list(data.val_dataloader())
    with torch.no_grad():
        logits = torch.cat([detector(batch.faces) for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    order = torch.as_tensor(np.random.default_rng([1, 0]).permutation(12))
    losses = [round(float(detector.loss(logits[part], labels[part])), 2) for part in order.split(4)]
    assert seen == [pytest.approx(sum(losses) / 3, abs=1e-6)]


@pytest.mark.parametrize("rule", ["best", "previous"])
def test_a_training_that_had_ended_is_not_trained_further(faces, tmp_path, monkeypatch, rule):
    losing(monkeypatch, [3.0, 3.5, 0.5])  # patience ends it before the third, which would have been the best
    options = {"patience": 1, "limit_train_batches": 1} | RULES[rule]
    fit(tmp_path / "kept", tiny_data(faces), **options)
    before = {name: weights(tmp_path / "kept", name) for name in ("best.ckpt", "last.ckpt")}
    fit(tmp_path / "kept", tiny_data(faces), **options)
    assert all(same(found, weights(tmp_path / "kept", name)) for name, found in before.items())


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


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    WholeFiles().save_checkpoint({"epoch": 1}, tmp_path / "last.ckpt")
    written = (tmp_path / "last.ckpt").read_bytes()

    def full(content, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space"):
        WholeFiles().save_checkpoint({"epoch": 2}, tmp_path / "last.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert (tmp_path / "last.ckpt").read_bytes() == written


def test_slurm_is_not_asked_by_lightning(monkeypatch):
    """Its tasks are the launcher's; with these variables Lightning would refuse to train, or queue the job again."""
    from lightning.fabric.plugins.environments import LightningEnvironment

    for name, value in {"NTASKS": "2", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(RuntimeError, match="--ntasks"):
        lightning.Trainer(accelerator="cpu", logger=False)
    trainer = lightning.Trainer(accelerator="cpu", plugins=[LightningEnvironment()], logger=False)
    assert isinstance(trainer._accelerator_connector.cluster_environment, LightningEnvironment)


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
        levels = [(picture[0] * 255).round().to(torch.uint8).numpy() for picture in (clean, attacked)]
        assert row["ssim"] == pytest.approx(structural_similarity(*levels, channel_axis=0), abs=1e-6)
        error = np.square(levels[0].astype(float) - levels[1]).mean()
        assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-4)
        # As the published script measures: files of 224 px, OpenCV, and uint8 arithmetic that wraps around.
        one, other = (
            cv2.resize(picture.transpose(1, 2, 0), (224, 224), interpolation=cv2.INTER_AREA) for picture in levels
        )
        assert row["ssim_224"] == pytest.approx(structural_similarity(one, other, channel_axis=2), abs=1e-6)
        error = np.square(one.astype(float) - other).mean()
        assert row["psnr_224"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-4)
        wrapped = np.mean((one - other) ** 2)
        assert row["psnr_224_wrapped"] == pytest.approx(20 * np.log10(255 / np.sqrt(wrapped)), abs=1e-4)
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
