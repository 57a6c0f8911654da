import shlex

import hydra
import pytest
from result_folders import read, write_results

from sr_deepfake.cell import cell_of
from sr_deepfake.cells import CellStore
from sr_deepfake.filling import Filling
from sr_deepfake.overrides import CONF, completed

SR = {"attack": {"scale": 2}}


def overrides_of(command):
    program = ["python", "-m", "sr_deepfake.train"]
    words = shlex.split(command)
    assert words[:3] == program
    return words[3:]


def filled(outputs, model, forgery, attack="sr-edsr-x2", data="sample", protocol="quick"):
    return Filling(read(outputs), [outputs])(model, forgery, attack, data, protocol)


def test_the_command_repeats_its_neighbour_with_another_method(tmp_path):
    earlier = [
        "model=swin",
        "forgery=FaceSwap",
        "attack=sr",
        "data.root=/my videos",
        "data=ffpp",
        "train.force=true",
    ]
    write_results(tmp_path, "swin", overrides=earlier, config=SR, data="ffpp")
    command, reason = filled(tmp_path, "swin", "Deepfakes", data="ffpp")
    assert overrides_of(command) == [
        "model=swin", "data.root=/my videos", "data=ffpp", "forgery=Deepfakes", "sr_model=edsr", "attack=sr",
    ]  # fmt: skip
    assert reason == ""


def test_another_model_replaces_the_model_and_its_options(tmp_path):
    write_results(tmp_path, "my_net", overrides=["model=timm", "model.backbone=my_net", "seed=3"], config=SR)
    words = overrides_of(filled(tmp_path, "swin", "FaceSwap")[0])
    assert words[:4] == ["seed=3", "data=sample", "model=swin", "forgery=FaceSwap"]
    words = overrides_of(filled(tmp_path, "resnet18", "FaceSwap")[0])
    assert words[2:4] == ["model=timm", "model.backbone=resnet18"]


def test_what_belongs_to_the_neighbour_alone_is_left_out(tmp_path):
    earlier = [
        "detector=outputs/detectors/x",
        "tested_on=Face2Face",
        "defence=sr",
        "evaluate.force=true",
        "logger=none",
    ]
    write_results(tmp_path, overrides=earlier, config=SR, program="evaluate")
    words = overrides_of(filled(tmp_path, "resnet50", "Deepfakes")[0])
    assert words == ["data=sample", "forgery=Deepfakes", "attack=sr", "sr_model=edsr", "attack.scale=2"]


def test_the_attack_is_told_as_it_was(tmp_path):
    told = ["attack=jpeg", "attack.quality=35"]
    write_results(
        tmp_path, attack="jpeg-q35", overrides=told, config={"attack": {}}, choices={"attack": "jpeg"}
    )
    words = overrides_of(filled(tmp_path, "resnet50", "Deepfakes", attack="jpeg-q35")[0])
    assert words[-2:] == ["attack=jpeg", "attack.quality=35"]


@pytest.mark.parametrize("attack", ["sr-edsr-x2", "jpeg-q35"])
def test_the_commands_compose_and_describe_the_place(attack, tmp_path):
    name = attack.partition("-")[0]
    choices = {"attack": name, "sr_model": "edsr"}
    more = ["attack=jpeg", "attack.quality=35"] if name == "jpeg" else []
    write_results(
        tmp_path, attack=attack, overrides=["experiment=transfer", *more], config=SR, choices=choices
    )
    command, _ = filled(tmp_path, "swin", "NeuralTextures", attack)
    cell = _single(overrides_of(command))
    assert (cell.model, cell.forgery, cell.data) == ("swin", "NeuralTextures", "sample")
    assert attack.startswith(cell.attack)
    assert cell.settings["tested_on"] == "NeuralTextures"


def _single(overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("train", completed("train", overrides), return_hydra_config=True)
        return cell_of("train", overrides, cfg, cfg.hydra.runtime.choices)


def test_without_provenance_the_place_is_named_in_full(tmp_path):
    (write_results(tmp_path) / "provenance.json").unlink()
    command, _ = filled(tmp_path, "swin", "FaceSwap")
    assert overrides_of(command) == ["data=sample", "model=swin", "forgery=FaceSwap", "attack=sr"]


def test_a_cell_that_failed_says_of_what(tmp_path):
    write_results(tmp_path, config=SR)
    cell = _single(["model=swin", "forgery=FaceSwap"])
    with pytest.raises(ValueError, match="no room"), CellStore(tmp_path).running(cell):
        raise ValueError("no room")
    assert filled(tmp_path, "swin", "FaceSwap")[1] == "failed: ValueError: no room"
    assert filled(tmp_path, "swin", "Deepfakes")[1] == ""
