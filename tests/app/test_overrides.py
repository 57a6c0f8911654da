import json
import os

import hydra
import pytest

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.overrides import (
    OF_THE_REPORT,
    completed,
    find_mistake,
    with_default_data,
    with_earlier_run,
    without_replaced,
)
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize(
    ("argument", "suggestion"),
    [
        ("model=resnet51", "'resnet50'"),
        ("model=resnet50,xceptio", "'xception'"),
        ("forgery=faceswap", "'FaceSwap'"),
        ("modl=swin", "'model'"),
        ("model.bckbone=x", "'model.backbone'"),
        ("data.workes=x", "'data.source.workers'"),
        ("protocol.epcohs=2", "'protocol.epochs'"),
        ("patience=3", "'protocol.patience'"),
        ("batch_size=3", "'protocol.batch_size'"),
        ("train.froce=true", "'train.force'"),
        ("experiment=dmo", "'demo'"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_choice(argument, suggestion):
    assert f"Did you mean {suggestion}?" in find_mistake("train", completed("train", [argument]))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["model=swin", "forgery=FaceSwap"],
        ["forgery_method=FaceSwap"],
        ["-m", "model=resnet50,xception", "attack=none,sr"],
        ["protocol.epochs=2", "protocol.augmentation.jpeg=0", "hydra.run.dir=x", "+own.key=1", "seed=3"],
        ["data=ffpp", "data.root=/somewhere with a space"],
        ["experiment=demo", "model.pretrained=false"],
        ["model=timm", "model.backbone=convnext_tiny"],
    ],
)
def test_right_command_lines_pass(arguments):
    assert find_mistake("train", completed("train", arguments)) is None


def test_short_names_are_made_long_in_one_place():
    typed = ["-m", "forgery=A,B", "data.crops=x=y", "data.workers=2", "~forgery", "+data.new=1", "data=ffpp"]
    assert completed("train", typed) == [
        "-m", "forgery_method=A,B", "data.source.crops=x=y", "data.workers=2", "~forgery_method", "+data.source.new=1",
        "data=ffpp",
    ]  # fmt: skip


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SR_DEEPFAKE_OUTPUTS", "~/out")
    monkeypatch.setenv("SR_DEEPFAKE_CACHE", "~/cache")
    assert completed("train", ["paths.outputs=~/there"])[0] == f"paths.outputs={tmp_path}/there"
    assert (os.environ["SR_DEEPFAKE_OUTPUTS"], os.environ["SR_DEEPFAKE_CACHE"]) == (
        f"{tmp_path}/out",
        f"{tmp_path}/cache",
    )


def test_an_argument_of_the_trainer_that_is_not_there_can_be_added():
    told = find_mistake("train", ["trainer.gradient_clip_val=1"])
    assert "+trainer.gradient_clip_val=" in told
    assert find_mistake("train", ["+trainer.gradient_clip_val=1", "trainer.max_epochs=2"]) is None


def test_the_environment_changes_the_default_data_set(monkeypatch):
    monkeypatch.setenv("SR_DEEPFAKE_DATA", "ffpp")
    assert with_default_data(["model=swin"]) == ["model=swin", "data=ffpp"]
    assert with_default_data(["data=sample"]) == ["data=sample"]
    monkeypatch.delenv("SR_DEEPFAKE_DATA")
    assert with_default_data(["model=swin"]) == ["model=swin"]


@pytest.fixture
def earlier(tmp_path):
    overrides = ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap", "data=ffpp"]
    overrides += ["data.root=/my videos", "seed=1"]
    content = {"program": "train", "overrides": overrides}
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    return tmp_path, overrides


def test_an_earlier_run_is_repeated(earlier):
    folder, overrides = earlier
    assert with_earlier_run("train", [f"from_run={folder}"]) == overrides
    assert find_mistake("train", completed("train", [f"from_run={folder}"])) is None


def test_what_is_typed_beside_it_wins(earlier):
    folder, overrides = earlier
    typed = ["-m", "seed=2,3", f"from_run={folder}", "trainer=cpu"]
    assert with_earlier_run("train", typed) == [*overrides[:-1], "-m", "seed=2,3", "trainer=cpu"]


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (["model=swin"], ["forgery=FaceSwap", "+own.key=1", "seed=1"]),
        (["model.backbone=swin"], ["model=timm", "forgery=FaceSwap", "+own.key=1", "seed=1"]),
        (["forgery_method=Deepfakes"], ["model=timm", "model.backbone=resnet18", "+own.key=1", "seed=1"]),
        (["own.key=2", "++seed=2"], ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap"]),
        (
            ["modelling=1"],
            ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap", "+own.key=1", "seed=1"],
        ),
    ],
)
def test_what_later_overrides_replace(typed, left):
    stored = ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap", "+own.key=1", "seed=1"]
    assert without_replaced(stored, typed) == left


def test_another_programs_run_names_the_command(earlier):
    folder, _ = earlier
    with pytest.raises(UserError, match=r"python -m sr_deepfake\.train from_run="):
        with_earlier_run("evaluate", [f"from_run={folder}"])


def test_only_one_run_can_be_repeated(earlier):
    folder, _ = earlier
    with pytest.raises(UserError, match="one run; 2"):
        with_earlier_run("train", [f"from_run={folder}", "from_run=other"])


@pytest.mark.parametrize("value", ["a=b.safetensors", "a (1).pth", "x,y=z", 'say "a"=b'])
def test_a_value_that_cannot_be_read_is_answered_with_its_quoted_form(value):
    import shlex

    told = find_mistake("train", completed("train", [f"sr_model.weights={value}"]))
    if told is None:  # Hydra reads it as it stands
        return
    assert "goes into quotes" in told
    quoted = shlex.split(told.rpartition("quotes, ")[2])
    assert find_mistake("train", completed("train", quoted)) is None


def test_beside_an_experiment_the_reports_own_options_stay_its_own():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        options = set(hydra.compose("report")) - {"seed"}  # which means the runs' there
    assert options == set(OF_THE_REPORT)
    typed = ["experiment=defence", "explain=false", "seed=1", "out=here"]
    assert completed("report", typed) == ["explain=false", "out=here", 'runs=["experiment=defence","seed=1"]']
