import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from small_training import fit, same, tiny_data, tiny_detector, tiny_trainer, weights
from torchvision.transforms.v2 import functional as vision

from sr_deepfake.attacks import Identity
from sr_deepfake.attacks.corruptions import BlurAttack
from sr_deepfake.data.images import read_face, resize_faces
from sr_deepfake.data.manifest import SCHEMA, write_manifest
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.callbacks import PredictionWriter
from sr_deepfake.detectors.preprocessing import FaceInput
from sr_deepfake.metrics.collection import LOGGED
from sr_deepfake.metrics.predictions import SETUPS, read_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.system.errors import UserError

CPU = torch.device("cpu")
MEAN = STD = (0.5, 0.5, 0.5)  # of test_resnet


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return Detector("test_resnet", image_size=64, pos_weight=2.5).eval()


@pytest.mark.parametrize("side", [48, 72, 96])
def test_a_logit_a_face_at_any_side_that_does_not_depend_on_the_neighbours(detector, side):
    faces = torch.rand(4, 3, side, side)
    alone = torch.cat([detector(face[None]) for face in faces])
    assert alone.shape == (4,)
    torch.testing.assert_close(detector(faces), alone, atol=1e-5, rtol=1e-5)


def test_the_loss_weighs_fakes(detector):
    logits, labels = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([1.0, 0.0, 1.0])
    p = logits.sigmoid()
    by_hand = -2.5 * labels * p.log() - (1 - labels) * (1 - p).log()
    assert detector.loss(logits, labels).item() == pytest.approx(by_hand.mean().item(), rel=1e-6)


def test_a_checkpoint_holds_plain_values_only():
    made = tiny_detector(pretrained="false", label="tiny")
    assert all(value is None or isinstance(value, str | int | float) for value in made.hparams.values())
    assert not {"optimizer", "scheduler", "pretrained"} & made.hparams.keys()


@pytest.mark.parametrize("resize", ["bilinear", "authors"])
def test_training_and_scored_faces_go_through_the_same_arithmetic(folder, resize):
    data = tiny_data(folder, image_size=64, resize=resize)
    detector = tiny_detector(resize=resize)
    rows, (faces, _) = data.rows("train"), next(iter(data.train_dataloader()))
    order = [index for _, index in data.train_dataloader().sampler][: len(faces)]
    for trained, path in zip(faces, rows["path"].iloc[order], strict=True):
        face = read_face(folder / path)[None].float() / 255
        assert torch.equal(trained, resize_faces(face, 64, resize)[0])
        assert torch.equal(detector.face_input(face), FaceInput(48, MEAN, STD, resize=resize)(face))


def test_normalised_input_equals_torchvisions():
    faces, mean, std = torch.rand(2, 3, 120, 120), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    ours = FaceInput(64, mean, std)(faces)
    theirs = vision.normalize(vision.resize(faces, [64, 64], antialias=True), mean, std)
    assert (ours - theirs).abs().max() <= 0.501 / 255 / min(std)  # it is rounded to 8 bits before


def test_published_input_is_bgr_0_to_255():
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(-1, -1, 64, 64)
    assert tiny_detector(input="bgr255").face_input(red)[0, :, 0, 0].tolist() == [0, 0, 255]


def test_an_unknown_input_is_an_error():
    with pytest.raises(UserError, match=r"protocol\.input='rgb'"):
        tiny_detector(input="rgb")
    with pytest.raises(UserError, match=r"protocol\.resize='cubic'.*bilinear, bicubic, authors"):
        tiny_detector(resize="cubic")


def test_resampling_alone_moves_scores_where_attacked_faces_are_resized_in_another_way(folder, tmp_path):
    for resize, moves in (("bilinear", False), ("authors", True)):
        data = tiny_data(folder, resize=resize, image_size=64, attack=Identity())
        detector = Detector("test_resnet", image_size=64, resize=resize)
        trainer = tiny_trainer(callbacks=[PredictionWriter(tmp_path / "p.parquet")])
        trainer.test(detector, datamodule=data, verbose=False)
        table = read_predictions(tmp_path / "p.parquet")
        below = table["side"] < 64
        assert (table["ssim"] == 1).all()
        changed = table["score"] != table["score_attacked"]
        assert changed[below].all() if moves else not changed.any()
        assert not changed[~below].any()  # INTER_AREA both times


def test_channels_last_changes_nothing_but_the_memory_format():
    faces = torch.rand(2, 3, 64, 64)
    one, other = (tiny_detector(channels_last=wanted).eval() for wanted in (True, False))
    assert next(one.backbone.parameters()).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(one(faces), other(faces), atol=1e-4, rtol=1e-4)


def test_confident_scores_stay_apart(detector, monkeypatch):
    monkeypatch.setattr(detector, "forward", lambda faces, attacked: torch.tensor([20.0, 25.0, 30.0]))
    assert detector.score(torch.rand(3, 3, 64, 64)).diff().min() > 0


def test_a_score_that_is_no_number_is_an_error(detector, monkeypatch):
    monkeypatch.setattr(detector, "forward", lambda faces, attacked: torch.tensor([0.0, math.nan]))
    with pytest.raises(UserError, match="NaN for 1 of 2 faces"):
        detector.score(torch.rand(2, 3, 64, 64))


@pytest.mark.parametrize(
    ("schedule", "options", "length"),
    [
        (torch.optim.lr_scheduler.CosineAnnealingLR, {"eta_min": 1e-4}, {"T_max": 100}),
        (torch.optim.lr_scheduler.OneCycleLR, {"max_lr": 0.1}, {"total_steps": 100}),
        (torch.optim.lr_scheduler.StepLR, {"step_size": 30}, {}),
    ],
)
def test_the_rate_follows_the_schedule_over_all_steps(schedule, options, length):
    scheduler = partial(schedule, **options)
    made = Detector("test_resnet", image_size=64, optimizer=partial(torch.optim.AdamW, lr=0.01), scheduler=scheduler)
    made._trainer = SimpleNamespace(estimated_stepping_batches=100)  # all that configure_optimizers asks of a trainer
    found = made.configure_optimizers()
    assert found["lr_scheduler"]["interval"] == "step"
    expected = schedule(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01), **options, **length)
    for _ in range(99):
        assert found["lr_scheduler"]["scheduler"].get_last_lr()[0] == pytest.approx(expected.get_last_lr()[0])
        for scheduler in (found["lr_scheduler"]["scheduler"], expected):
            scheduler.optimizer.step()
            scheduler.step()


def test_without_an_optimizer_it_is_the_papers():
    made = Detector("test_resnet", image_size=64)
    found = made.configure_optimizers()
    assert isinstance(found, torch.optim.SGD)
    assert (found.param_groups[0]["lr"], found.param_groups[0]["momentum"]) == (0.01, 0)


def test_several_processes_need_layers_that_can_be_synchronised():
    batch_norm, layer_norm = (Detector(name, image_size=48) for name in ("test_resnet", "test_vit"))
    with pytest.raises(UserError, match="Batch normalisation cannot be synchronised on this device"):
        batch_norm.check_devices(2, CPU)
    layer_norm.check_devices(2, CPU)
    batch_norm.check_devices(1, CPU)
    batch_norm.check_devices(2, torch.device("cuda"))


@pytest.fixture
def folder(make_faces, tmp_path):
    make_faces({"train": 20, "val": 6, "test": 8})
    return tmp_path


def test_it_learns_what_sets_fakes_apart(folder):
    detector = tiny_detector()
    detector.optimizer = partial(torch.optim.AdamW, lr=1e-2)
    data = tiny_data(folder)
    fit(folder / "kept", data, detector, max_epochs=12)
    tiny_trainer(callbacks=[PredictionWriter(folder / "p.parquet")]).test(detector, datamodule=data, verbose=False)
    predictions = read_predictions(folder / "p.parquet")
    assert roc_auc_score(predictions["label"], predictions["score"]) > 0.9


def test_the_weight_of_the_fakes_comes_from_the_data_and_stays_with_the_weights(make_faces, tmp_path):
    rows = make_faces({"train": 12, "val": 4, "test": 4})
    few = rows.drop(rows.index[(rows["split"] == "train") & (rows["label"] == 1)][:8])
    write_manifest(few[SCHEMA.names].to_dict("records"), tmp_path / "faces.parquet")
    detector = tiny_detector()
    fit(tmp_path / "kept", tiny_data(tmp_path), detector, max_epochs=1)
    assert detector.pos_weight.item() == 3.0
    loaded = Detector.load_from_checkpoint(tmp_path / "kept" / "best.ckpt", weights_only=True)
    assert loaded.pos_weight.item() == 3.0
    given = tiny_detector(pos_weight=1.5)
    fit(tmp_path / "given", tiny_data(tmp_path), given, max_epochs=1)
    assert given.pos_weight.item() == 1.5


@pytest.mark.parametrize(
    ("attack", "tested"),
    [(None, "label >= 0"), (BlurAttack(sigma=2.0), "label >= 0"), (None, "label == 0"), (None, "label == 1")],
)
def test_the_logged_figures_are_those_of_the_predictions_that_are_defined(folder, attack, tested):
    """Lightning used to log `auc 0.0` and `recall 0.0` where metrics.json has null: for faces of one class."""
    data = tiny_data(folder, attack=attack)
    data._faces = replace(data.faces, rows=data.faces.rows.query(f"split != 'test' or {tested}"))
    trainer = tiny_trainer(callbacks=[PredictionWriter(folder / "p.parquet")])
    trainer.test(tiny_detector(), datamodule=data, verbose=False)
    derived = run_metrics(read_predictions(folder / "p.parquet"), resamples=2)
    setups = SETUPS if attack else ("clean",)
    values = {f"test/{setup}/{name}": derived.value(setup, name) for setup in setups for name in LOGGED}
    logged = {name: float(value) for name, value in trainer.logged_metrics.items()}
    assert logged == pytest.approx({name: value for name, value in values.items() if value is not None}, abs=1e-6)
    assert ("test/clean/auc" in logged) == (tested == "label >= 0")


def test_a_training_in_float32_uses_all_its_bits(folder):
    """Not TF32 in matrix products, and not in cuDNN's convolutions, where torch allows it."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    fit(folder / "kept", tiny_data(folder), max_epochs=1)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_test_takes_float32_whatever_the_trainer_says(folder):
    for name, precision in (("exact", "32-true"), ("mixed", "bf16-mixed")):
        trainer = tiny_trainer(callbacks=[PredictionWriter(folder / f"{name}.parquet")], precision=precision)
        trainer.test(tiny_detector(), datamodule=tiny_data(folder, attack=BlurAttack(sigma=2.0)), verbose=False)
    pd.testing.assert_frame_equal(*(pd.read_parquet(folder / f"{name}.parquet") for name in ("exact", "mixed")))


def test_losses_and_validation_are_logged(folder):
    logged = fit(folder / "kept", tiny_data(folder), max_epochs=1).logged_metrics
    assert {"train/loss_step", "train/loss_epoch", "val/loss", "val/auc", "val/fnr", "val/fpr"} <= logged.keys()


def test_augmentation_on_the_device_is_the_same_training(folder):
    for place in ("loader", "device"):
        augmented = {"noise": 0.5, "affine": 0.5, "flip": 0.5, "grey": 0.2, "jpeg": 0.2}
        fit(folder / place, tiny_data(folder, augment_on=place, augmentation=augmented), max_epochs=1)
    one, other = (weights(folder / place) for place in ("loader", "device"))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-4)
    fit(folder / "plain", tiny_data(folder), max_epochs=1)
    assert not same(one, weights(folder / "plain"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["16-mixed", "32-true"])
def test_a_gpu_trains_and_tests(folder, precision):
    data = tiny_data(folder, augmentation={"noise": 0.5, "affine": 0.5}, attack=BlurAttack(sigma=2.0))
    trainer = tiny_trainer(folder / "kept", accelerator="gpu", precision=precision)
    detector = tiny_detector()
    trainer.fit(detector, datamodule=data)
    for name in ("gpu", "cpu"):
        tester = tiny_trainer(callbacks=[PredictionWriter(folder / f"{name}.parquet")], accelerator=name)
        tester.test(detector, datamodule=data, verbose=False)
    tables = [pd.read_parquet(folder / f"{name}.parquet") for name in ("gpu", "cpu")]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=5e-3)
