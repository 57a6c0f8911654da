import json

import pytest

from sr_deepfake.errors import UserError
from sr_deepfake.overrides import find_mistake, with_default_data, with_earlier_run, without_replaced


@pytest.mark.parametrize(
    ("argument", "suggestion"),
    [
        ("model=resnet51", "'resnet50'"),
        ("model=resnet50,xceptio", "'xception'"),
        ("forgery=faceswap", "'FaceSwap'"),
        ("modl=swin", "'model'"),
        ("model.nme=x", "'model.name'"),
        ("protocol.epcohs=2", "'protocol.epochs'"),
        ("learning_rate=3", "'protocol.learning_rate'"),
        ("train.froce=true", "'train.force'"),
        ("experiment=dmo", "'demo'"),
    ],
)
def test_a_typo_is_answered_with_the_nearest_choice(argument, suggestion):
    assert f"Did you mean {suggestion}?" in find_mistake("train", [argument])


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
        ["sr_model.weights=a=b.safetensors"],
        ["model=timm", "model.backbone=convnext_tiny"],
    ],
)
def test_right_command_lines_pass(arguments):
    assert find_mistake("train", arguments) is None


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
    assert find_mistake("train", with_earlier_run("train", [f"from_run={folder}"])) is None


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
