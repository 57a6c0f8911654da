"""Every YAML that ships composes, and the objects that it names can be built."""

import functools
from inspect import signature

import hydra
import lightning
import pytest
import torch
import wandb
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import get_class, get_method, instantiate
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from omegaconf import OmegaConf
from torch import nn

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import expanded
from sr_deepfake.attacks import Attack
from sr_deepfake.data import FaceDataModule
from sr_deepfake.data.defence import Defence
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.super_resolution import weights
from sr_deepfake.system.errors import MissingWeightsError

GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name not in ("hydra", "_base"))
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
EXTRA = {
    ("model", "timm"): ["model.backbone=resnet18"],
    ("data", "folder"): ["data.source.root=there"],
    ("data", "csv"): ["data.source.list=there.csv"],
    ("data", "deepfakebench"): ["data.source.root=there"],
}


def compose(program, overrides=()):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(program, list(overrides), return_hydra_config=True)
    cfg.hydra.runtime.output_dir = "here"
    HydraConfig.instance().set_config(cfg)
    return cfg


@pytest.mark.parametrize("program", ["train", "prepare", "evaluate"])
def test_programs_compose(program):
    cfg = compose(program)
    assert cfg.data.source.name == "sample"
    assert cfg.protocol.name == "quick"  # the sample brings it along
    for name in cfg:  # every interpolation resolves, as it must where a run's configuration is written
        if name != "hydra" and not OmegaConf.is_missing(cfg, name) and OmegaConf.is_config(cfg[name]):
            assert OmegaConf.to_container(cfg[name], resolve=True) is not None
    if program != "evaluate":
        assert cfg.run_name.startswith("efficientnet_lite0-Deepfakes-sr")  # which the sample brings along, too


@functools.cache
def with_choice(group, choice):
    return compose("train", [f"{group}={choice}", *EXTRA.get((group, choice), [])] if group != "callbacks" else [])


def test_a_configuration_of_ones_own_on_top_of_a_program_is_that_program(tmp_path):
    mine = f"defaults: [evaluate, _self_]\nseed: 7\nhydra: {{searchpath: ['file://{CONF}']}}\n"
    (tmp_path / "mine.yaml").write_text(mine)
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        cfg = hydra.compose("mine", return_hydra_config=True)
    assert (cfg.seed, cfg.hydra.job.name) == (7, "evaluate")


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes(group, choice):
    cfg = with_choice(group, choice)
    plain = OmegaConf.to_container(OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True)
    assert group == "experiment" or plain[group]


EXTERNAL = {"checkpoint", "deepfakebench", "huggingface", "onnx", "python", "torchscript"}


@pytest.mark.parametrize("choice", sorted(EXTERNAL))
def test_an_external_model_asks_for_its_file(choice):
    extra = ["model.backbone=resnet18"] if choice == "checkpoint" else []
    key = "factory" if choice == "python" else "path"
    cfg = compose("evaluate", [f"model={choice}", f"model.{key}=nowhere/mine.file", *extra])
    assert get_class(cfg.model._target_) is ExternalDetector
    with pytest.raises(InstantiationException, match=rf"model\\?\.{key}=nowhere"):
        instantiate(cfg.model)
    options = set(signature(ExternalDetector).parameters) | set(
        signature(get_method(cfg.model.open._target_)).parameters
    )
    assert set(cfg.model) - {"_target_", "_convert_"} <= options
    with pytest.raises(InstantiationException, match=r"model\\?\.path is missing"):
        instantiate(compose("evaluate", [f"model={choice}", *extra]).model)


OBJECTS = {
    "attack": Attack, "data": FaceDataModule, "defence": Defence, "logger": Logger, "model": Detector, "sr_model": nn.Module,
    "trainer": lightning.Trainer,
}  # fmt: skip
OPTIONS = {
    "model": {"pretrained": False},
    "trainer": {"accelerator": "cpu", "logger": False},
    ("trainer", "ddp"): {"devices": 2},
    ("trainer", "t4"): {"precision": "bf16-mixed"},
    ("data", "csv"): {"forgery": "csv"},  # whose methods are those of a list
    ("data", "deepfakebench"): {"forgery": "deepfakebench"},
}
NEED_A_FILE = {"restoration", "pgd", "statattack", "fakepolisher", "edsr_large", "spandrel"}  # that the package lacks
ALONE = [
    (group, choice) for group, choice in CHOICES if group in OBJECTS and choice not in {*EXTERNAL, "mlflow"}
]  # tracking/test_loggers.py runs mlflow


@pytest.mark.parametrize(("group", "choice"), ALONE)
def test_a_file_is_one_object(group, choice, tmp_path, monkeypatch):
    """Or None, or the error that says which file is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(weights, "_download", lambda url, path: "there is no network")
    monkeypatch.setenv("WANDB_MODE", "offline")
    begin = wandb.init  # no service of W&B's is started in this process
    monkeypatch.setattr(wandb, "init", lambda **options: begin(mode="disabled"))
    node = with_choice(group, choice)[group]
    options = OPTIONS.get(group, {}) | OPTIONS.get((group, choice), {})
    options |= {"cache": str(tmp_path)} if "cache" in node else {}
    if choice in NEED_A_FILE:
        with pytest.raises(InstantiationException) as caught:
            instantiate(node, **options)
        assert isinstance(caught.value.__cause__, MissingWeightsError)
        return
    made = instantiate(node, **options)
    wandb.finish()  # else the next logger of this process takes the run over
    if choice == "none":
        assert made is None
        return
    assert isinstance(made, OBJECTS[group])
    if group == "attack":
        assert made.name
    elif group == "data":
        assert (made.source.name, made.defence) == (choice, None)
    elif group == "model":
        assert isinstance(made.optimizer([nn.Parameter(torch.zeros(1))]), torch.optim.AdamW)
        assert made.label == node.label
    elif group == "sr_model":
        assert made.scale == 2
        assert made(torch.rand(1, 3, 8, 8)).shape == (1, 3, 16, 16)
    elif group == "trainer":
        assert made.num_devices == (2 if choice == "ddp" else 1)


def test_any_argument_of_the_trainer_can_be_typed():
    typed = [
        "+trainer.fast_dev_run=true", "trainer.limit_train_batches=4", "+trainer.gradient_clip_val=1",
        "trainer.accumulate_grad_batches=2", "+trainer.profiler=simple", "trainer.max_epochs=7",
    ]  # fmt: skip
    trainer = instantiate(compose("train", ["trainer=cpu", *typed[1:]]).trainer, logger=False)
    assert (trainer.limit_train_batches, trainer.gradient_clip_val, trainer.max_epochs) == (4, 1, 7)
    assert trainer.accumulate_grad_batches == 2
    assert type(trainer.profiler).__name__ == "SimpleProfiler"
    assert instantiate(compose("train", ["trainer=cpu", typed[0]]).trainer).fast_dev_run == 1


@pytest.mark.parametrize("protocol", ["quick", "authors_code"])
def test_callbacks_are_callbacks_by_name(protocol):
    """The published scripts choose epochs by rounded losses of batches."""
    cfg = compose("train", [f"protocol={protocol}", "callbacks.early_stopping.patience=2"])
    made = {name: instantiate(node) for name, node in cfg.callbacks.items()}
    assert all(isinstance(callback, Callback) for callback in made.values())
    assert made["early_stopping"].patience == 2
    names = {name: type(callback).__name__ for name, callback in made.items()}
    ours = protocol == "authors_code"
    assert names["model_checkpoint"] == ("PreviousEpochCheckpoint" if ours else "ModelCheckpoint")
    assert names["early_stopping"] == ("PreviousEpochStopping" if ours else "EarlyStopping")
    usual = {choice for group, choice in CHOICES if group == "callbacks"} - {"default", "authors_code"}
    assert set(names) == usual | ({"rounded_loss"} if ours else set())
    monitored = {cfg.callbacks[name].monitor for name in ("model_checkpoint", "early_stopping")}
    assert monitored == {"val/rounded_loss" if ours else "val/loss"}
    if ours:
        assert cfg.callbacks.rounded_loss.batch_size == cfg.protocol.batch_size == 32
    assert "early_stopping" not in compose("train", ["~callbacks.early_stopping"]).callbacks


TYPED = """
model: resnet50 swin xception efficientnet_lite0 efficientnet_lite1 efficientnet_lite2 timm
attack: none sr bicubic restoration jpeg webp upload blur noise h264 resize chain
sr_model: edsr edsr_large spandrel
data: sample ffpp folder csv celebdf dfdc dfd deepfakebench
protocol: paper authors_code quick
trainer: auto cpu gpu t4 ddp
logger: csv wandb tensorboard mlflow none
experiment: demo paper authors_code correlation sample_sweep resolution sr_models defence transfer
defence: none sr bicubic
"""


def test_the_groups_that_users_type_exist():
    for line in TYPED.strip().splitlines():
        group, names = line.split(": ")
        assert set(names.split()) <= {choice for name, choice in CHOICES if name == group}


def test_k_of_the_attack_is_k_of_the_network_in_a_chain_too():
    for options in (["attack.scale=3"], ["attack=chain", "attack.first.scale=3"]):
        cfg = compose("train", [*options])
        assert cfg.sr_model.scale == 3
    assert compose("train", ["attack=jpeg"]).sr_model.scale == 2


def test_the_protocols_differ_as_documented():
    paper, authors = (compose("train", [f"protocol={name}"]).protocol for name in ("paper", "authors_code"))
    assert (paper.input, authors.input) == ("normalised", "bgr255")
    assert (paper.epochs, paper.optimizer.lr, paper.batch_size) == (30, 0.01, 32)
    assert paper.optimizer._target_ == "torch.optim.SGD"


def test_the_published_scripts_compute_in_float32():
    """As part of the protocol, not of the experiment alone."""
    for words, precision in (
        (["protocol=authors_code"], "32-true"),
        (["protocol=authors_code", "trainer=t4"], "32-true"),
        (["protocol=authors_code", "trainer.precision=16-mixed"], "16-mixed"),
        (["trainer=t4"], "16-mixed"),
        (["experiment=paper"], "32-true"),
    ):
        assert compose("train", words).trainer.precision == precision


def jobs(*overrides):
    cfg = compose("train", [word for word in overrides if "," not in word])
    params = [f"{key}={value}" for key, value in cfg.hydra.sweeper.params.items()]
    return expanded(params, overrides)


@pytest.mark.parametrize(
    ("experiment", "swin", "weights"),
    [
        ("paper", "swin_small_patch4_window7_224.ms_in1k", "official"),
        ("authors_code", "swin_tiny_patch4_window7_224.ms_in1k", "torchsr"),
    ],
)
def test_the_papers_grid(experiment, swin, weights):
    listed = jobs(f"experiment={experiment}")
    assert len({tuple(job) for job in listed}) == 30
    found = [compose("train", job) for job in listed[::6]]  # each model, each method
    assert {job.model.backbone for job in found} == {"resnet50.tv2_in1k", swin, "legacy_xception.tf_in1k"}
    for job in found:
        assert (job.protocol.name, job.data.source.name) == (experiment, "ffpp")
        assert (job.model.pretrained, job.sr_model.weights, job.trainer.precision) == (True, weights, "32-true")


@pytest.mark.parametrize(
    ("experiment", "count"),
    [("sample_sweep", 30), ("resolution", 5), ("sr_models", 30), ("defence", 4), ("transfer", 25), ("correlation", 15)],
)
def test_the_other_experiments_compose(experiment, count):
    listed = jobs(f"experiment={experiment}")
    assert len({tuple(job) for job in listed}) == count
    found = [compose("train", job) for job in (listed[0], listed[-1])]
    if experiment == "correlation":
        assert {(job.data.test_side, job.attack.scale, job.protocol.name) for job in found} == {
            (224, 4, "authors_code")
        }
    if experiment in ("resolution", "sr_models", "defence", "transfer"):
        paper = compose("train", [f"experiment={experiment}", "data=ffpp"])
        assert (paper.sr_model.weights, paper.trainer.precision) == ("official", "32-true")
        assert compose("train", [f"experiment={experiment}"]).sr_model.weights is None


@pytest.mark.parametrize(
    "words",
    [["experiment=defence"], ["experiment=defence", "data=ffpp"], ["protocol=authors_code"], ["sr_model=spandrel"]],
)
def test_a_defence_has_the_attack_of_the_test_by_default(words):
    cfg = compose("train", [*words, "defence=sr", "attack=sr"])
    of_training = cfg.defence.attack
    assert of_training.convention == cfg.attack.convention
    assert of_training.sr_model.weights == (None if "sr_model=spandrel" in words else cfg.sr_model.weights)
    other = compose("train", [*words, "defence=sr", "attack=sr", "defence.attack.scale=3", "sr_model.weights=x2.pth"])
    assert other.defence.attack.sr_model.weights is None  # of another scale
    if words != ["sr_model=spandrel"]:
        narrow = compose(
            "train", [*words, "defence=sr", "attack=sr", "sr_model.features=32", "sr_model.weights=narrow.pth"]
        )
        assert narrow.defence.attack.sr_model.weights is None


def test_the_environment_names_a_default_data_set_which_an_experiment_does_not_take(monkeypatch):
    """Nor does the report, which has no data set."""
    monkeypatch.setenv("SR_DEEPFAKE_DATA", "ffpp")
    for words, name in (([], "ffpp"), (["experiment=demo"], "sample"), (["data=celebdf"], "celebdf")):
        cfg = compose("train", words)
        assert (cfg.data.source.name, cfg.protocol.name) == (name, "quick" if name == "sample" else "paper")
    assert compose("report").compare == "none"
    assert compose("train", ["data=sample", "protocol=paper"]).protocol.name == "paper"  # what is typed wins
