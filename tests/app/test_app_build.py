"""Mistakes of a configuration are found before any work, and said in one line."""

from pathlib import Path

import hydra
import pytest
from face_crops import write_faces
from forked import TINY
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate

from sr_deepfake.app import build
from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import completed
from sr_deepfake.app.sweep import as_user_error

DDP = "trainer=ddp trainer.accelerator=cpu trainer.devices"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("crops")
    write_faces(made, {"train": 8, "val": 4, "test": 6})
    return made


def build_all(folder, *typed):
    """What `train` builds before it trains."""
    words = [f"data.source.crops={folder}" if word.startswith("data.source.crops") else word for word in TINY]
    overrides = completed("train", [*words, "forgery=FaceSwap", "attack=none", *typed])
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", overrides, return_hydra_config=True)
    cfg.hydra.runtime.output_dir = "here"
    HydraConfig.instance().set_config(cfg)
    data, detector = instantiate(cfg.data), instantiate(cfg.model)
    recipe = build.recipe(cfg, detector, data)
    build.attack(cfg)
    build.evaluation(cfg, force=False)
    build.trainer(cfg, folder, None, detector, data)
    detector.scheduler = None  # which asks a trainer for its steps
    detector.configure_optimizers()
    return recipe


@pytest.fixture(scope="module")
def usual(folder):
    return build_all(folder)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("seed=-1", "seed must be an integer ≥ 0 (and < 2³²), not -1"),
        ("seed=4294967296", "seed must be an integer ≥ 0 (and < 2³²), not 4294967296"),
        ("protocol.batch_size=0", "protocol.batch_size must be an integer ≥ 1 (and < 2³²), not 0"),
        ("protocol.frames=0", "protocol.frames must be an integer ≥ 1"),
        ("protocol.frames=1.5", "protocol.frames must be an integer ≥ 1"),
        ("protocol.image_size=0", "protocol.image_size must be an integer ≥ 7"),
        ("model.backbone=resnet51", "knows no model named 'resnet51' (model.backbone)"),
        ("+protocol.optimizer.foo=1", "'foo'"),
        ("model._target_=nowhere.X", "model: "),
        ("trainer.precision=bf16-true", "trainer.precision='bf16-true'"),
        ("callbacks.model_checkpoint.filename=x", "callbacks.model_checkpoint"),
        ("trainer.limit_val_batches=0", "trainer.limit_val_batches=0"),
        ("+callbacks.mine.seed=1", "callbacks.mine has no _target_: callbacks=default"),
        ("protocol.augmentation.jpeg=1.5", "protocol.augmentation.jpeg=1.5"),
        ("+trainer.gradient_clp=1", "trainer: TypeError: "),
        ("trainer.devices=2", "trainer=ddp trains one detector on several devices"),
        (f"{DDP}=2", "Batch normalisation"),
        (
            f"{DDP}=3 model.backbone=test_vit",
            "trainer.devices=3 does not divide a batch of 8 faces (protocol.batch_size, or all training faces where they are "
            "fewer); 1, 2, 4, 8 do",
        ),
        ("trainer=ddp trainer.accelerator=gpu", "trainer=cpu"),
        ("threshold.fpr=2", "threshold.fpr must be a false positive rate between 0 and 1, or null, not 2"),
        ("evaluate.examples=-1", "evaluate.examples must be an integer ≥ 0, not -1"),
        ("data.test_side=3", "data.test_side must be an integer ≥ 7 (and < 2³²), not 3"),
        ("data.workers=many", "data.workers must be a number of processes"),
    ],
)
def test_a_mistake_is_one_line(folder, typed, message):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any kind, which is then explained
        build_all(folder, *typed.split())
    known = as_user_error(caught.value, Path("outputs"))
    assert message in str(known)
    assert "\n" not in str(known)


OTHER = [
    "model.backbone=resnet18", "seed=1", "protocol.epochs=9", "protocol.augmentation.jpeg=0", "trainer.precision=bf16-mixed",
    "trainer.limit_train_batches=4", "+trainer.gradient_clip_val=1", "callbacks.early_stopping.patience=2",
    "~callbacks.early_stopping", "protocol.optimizer.lr=1e-3", "protocol.batch_size=4", "protocol.resize=authors",
]  # fmt: skip
THE_SAME = [
    "paths.outputs=other", "paths.cache=other", "cache.attacked=false", "logger=wandb", "data.workers=3",
    "trainer.enable_progress_bar=true", "train.force=true", "attack=bicubic", "threshold.fpr=0.01", "run_name=mine",
    "+trainer.profiler=simple", "~callbacks.learning_rate_monitor", "model.label=mine", "trainer.devices=auto",
]  # fmt: skip


@pytest.mark.parametrize("override", [*OTHER, *THE_SAME])
def test_what_changes_the_training_and_nothing_else_makes_another_recipe(folder, usual, override):
    assert (build_all(folder, override).key == usual.key) == (override in THE_SAME)


def test_what_is_typed_of_trainer_and_callbacks_is_in_the_recipe(folder):
    typed = ["trainer.limit_train_batches=1", "+trainer.gradient_clip_val=1", "~callbacks.early_stopping"]
    training = build_all(folder, *typed).training
    assert (training["trainer"]["gradient_clip_val"], training["trainer"]["limit_train_batches"]) == (1, 1)
    assert sorted(training["callbacks"]) == ["model_checkpoint", "resumption"]


@pytest.mark.parametrize("protocol", ["quick", "authors_code"])
def test_trainings_that_differ_by_their_seed_are_known_as_such(folder, protocol):
    """Their results are shown as one detector of several seeds."""
    first, second = (build_all(folder, f"protocol={protocol}", "protocol.epochs=2", f"seed={seed}") for seed in (0, 1))
    assert first.key != second.key
    assert first.seedless_key == second.seedless_key


def test_what_torch_says_of_a_small_disk_or_memory_is_one_line():
    for words, message in (
        (
            "[enforce fail at inline_container.cc:668] . PytorchStreamWriter failed writing file data/3",
            "the disk is full",
        ),
        ("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that ...", "--shm-size"),
    ):
        assert message in str(as_user_error(RuntimeError(words), Path("outputs")))
