"""Every YAML that ships composes, and its objects can be built."""

import hydra
import pytest
from omegaconf import OmegaConf

from sr_deepfake.cli import CONF

GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")
CHOICES = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]
PROGRAMS = ["train", "prepare", "evaluate"]


def compose(program, overrides=()):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(program, list(overrides), return_hydra_config=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_compose(program):
    cfg = compose(program)
    assert cfg.data.name == "sample"
    assert cfg.protocol.name == "quick"  # the sample brings it along
    cfg.hydra.runtime.output_dir = "here"
    hydra.core.hydra_config.HydraConfig.instance().set_config(cfg)
    for name in cfg:  # every interpolation resolves, as it must where a run's configuration is written
        if name != "hydra" and not OmegaConf.is_missing(cfg, name) and OmegaConf.is_config(cfg[name]):
            assert OmegaConf.to_container(cfg[name], resolve=True) is not None
    assert cfg.run_name


@pytest.mark.parametrize("logger", ["csv", "wandb", "none"])
def test_the_training_of_a_network_composes_with_every_logger(logger):
    cfg = compose("train_sr", [f"logger={logger}"])
    cfg.hydra.runtime.output_dir = "here"
    hydra.core.hydra_config.HydraConfig.instance().set_config(cfg)
    assert OmegaConf.to_container(cfg.patches, resolve=True)["scale"] == 2
    if logger == "wandb":
        assert OmegaConf.to_container(cfg.logger, resolve=True)["module"]["name"] == "edsr_16x64_x2"


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_composes(group, choice):
    extra = ["model.name=resnet18"] if (group, choice) == ("model", "timm") else []
    cfg = compose("train", [f"{group}={choice}", *extra])
    cfg.hydra.runtime.output_dir = "here"
    hydra.core.hydra_config.HydraConfig.instance().set_config(cfg)
    plain = OmegaConf.to_container(
        OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"]), resolve=True
    )
    assert group in ("experiment", "forgery") or plain[group]


def test_the_groups_that_users_type_exist():
    expected = {
        "model": {"resnet50", "swin", "xception", "efficientnet_lite0", "timm"},
        "forgery_method": {"Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures", "fake"},
        "forgery": {"Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures", "fake"},
        "attack": {"none", "sr", "bicubic", "jpeg", "blur", "noise", "h264", "resize", "chain"},
        "sr_model": {
            "edsr",
            "edsr_large",
            "rcan",
            "swinir",
            "rrdb",
            "srvgg",
            "spandrel",
            "bicubic",
            "lanczos",
        },
        "data": {"sample", "ffpp", "folder"},
        "protocol": {"paper", "authors_code", "quick"},
        "trainer": {"auto", "cpu", "gpu", "t4", "ddp"},
        "logger": {"csv", "wandb", "tensorboard", "mlflow", "none"},
        "experiment": {
            "demo",
            "paper",
            "authors_code",
            "sample_sweep",
            "resolution",
            "sr_models",
            "defence",
            "transfer",
        },
        "defence": {"none", "sr", "bicubic"},
    }
    found = {group: {choice for name, choice in CHOICES if name == group} for group in GROUPS}
    assert {group: names - found.get(group, set()) for group, names in expected.items()} == {
        group: set() for group in expected
    }


@pytest.mark.parametrize("way", ["forgery=FaceSwap", "forgery_method=FaceSwap"])
def test_both_ways_to_name_a_forgery_method(way):
    assert compose("train", [way]).forgery_method.name == "FaceSwap"


def test_the_protocols_differ_as_documented():
    paper, authors = (compose("train", [f"protocol={name}"]) for name in ("paper", "authors_code"))
    assert paper.protocol.input == "normalised"
    assert authors.protocol.input == "bgr255"
    assert (paper.protocol.selection, authors.protocol.selection) == ("best", "previous")
    assert (paper.protocol.epochs, paper.protocol.learning_rate, paper.protocol.batch_size) == (30, 0.01, 32)
    swin = [
        compose("train", [f"protocol={name}", "model=swin"]).model.name for name in ("paper", "authors_code")
    ]
    assert swin == ["swin_small_patch4_window7_224", "swin_tiny_patch4_window7_224"]


def test_the_command_line_wins_over_what_the_sample_brings():
    assert compose("train", ["protocol=paper"]).protocol.name == "paper"
    assert compose("train", ["data=ffpp"]).protocol.name == "paper"
