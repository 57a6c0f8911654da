import json
import os

import pytest

from sr_deepfake.app.overrides import checked_overrides, completed, expanded, with_earlier_run, without_replaced
from sr_deepfake.system.errors import UserError


def test_short_names_are_made_long_in_one_place():
    typed = [
        "-m", "forgery_method=A,B", "data.crops=x=y", "data.workers=2", "~forgery_method", "+data.new=1", "data=ffpp",
        "data.compression=c40", "data.test_side=224",
    ]  # fmt: skip
    assert completed("train", typed) == [
        "-m", "forgery=A,B", "data.source.crops=x=y", "data.workers=2", "~forgery", "+data.source.new=1", "data=ffpp",
        "data.source.compression=c40", "data.test_side=224",
    ]  # fmt: skip


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SR_DEEPFAKE_OUTPUTS", "~/out")
    monkeypatch.setenv("SR_DEEPFAKE_CACHE", "~/cache")
    assert completed("train", ["paths.outputs=~/there"]) == [f"paths.outputs={tmp_path}/there"]
    found = [os.environ[name] for name in ("SR_DEEPFAKE_OUTPUTS", "SR_DEEPFAKE_CACHE")]
    assert found == [f"{tmp_path}/out", f"{tmp_path}/cache"]


@pytest.fixture
def earlier(tmp_path):
    overrides = ["model=timm", "model.backbone=vit_base_patch16_224", "forgery=FaceSwap", "data=ffpp"]
    overrides += ["data.root=/mnt/my_face_data_2", "seed=1"]
    content = {"program": "train", "overrides": overrides}
    (tmp_path / "provenance.json").write_text(json.dumps(content))
    return tmp_path, overrides


def test_an_earlier_run_is_repeated_and_what_is_typed_next_to_it_wins(earlier):
    """Names with _x_ in them are ordinary: `vit_base_patch16_224`, `my_face_data_2`."""
    folder, overrides = earlier
    assert with_earlier_run("train", [f"from_run={folder}"]) == overrides
    typed = ["-m", "seed=2,3", f"from_run={folder}", "trainer=cpu"]
    assert with_earlier_run("train", typed) == [*overrides[:-1], "-m", "seed=2,3", "trainer=cpu"]


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (["model=swin"], ["forgery=FaceSwap", "+own.key=1", "seed=1"]),
        (["model.backbone=swin"], ["model=timm", "forgery=FaceSwap", "+own.key=1", "seed=1"]),
        (["forgery_method=Deepfakes"], ["model=timm", "model.backbone=resnet18", "+own.key=1", "seed=1"]),
        (["own.key=2", "++seed=2"], ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap"]),
        (["modelling=1"], ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap", "+own.key=1", "seed=1"]),
    ],
)
def test_what_later_overrides_replace(typed, left):
    stored = ["model=timm", "model.backbone=resnet18", "forgery=FaceSwap", "+own.key=1", "seed=1"]
    assert without_replaced(stored, typed) == left


def test_another_attack_replaces_the_parts_of_a_chain():
    stored = ["attack=chain", "attack@attack.first=resize", "attack.first.factor=2", "seed=1"]
    assert without_replaced(stored, ["attack=jpeg"]) == ["seed=1"]


def test_another_programs_run_names_the_command_and_only_one_is_repeated(earlier):
    folder, _ = earlier
    with pytest.raises(UserError, match=r"python -m sr_deepfake\.train from_run="):
        with_earlier_run("evaluate", [f"from_run={folder}"])
    with pytest.raises(UserError, match="repeats one run, not 2"):
        with_earlier_run("train", [f"from_run={folder}", "from_run=other"])


def test_the_jobs_of_a_sweep_are_those_of_hydras_sweeper():
    assert expanded(["seed=range(0,3)"], ["model=swin", "hydra/launcher=joblib"]) == [
        [f"seed={n}", "model=swin"] for n in range(3)
    ]
    assert expanded(["attack=none,sr", "seed=0"], ["attack=sr", "x='a,b'"]) == [["attack=sr", "seed=0", "x='a,b'"]]


def test_the_agent_of_a_sweep_of_wandb_may_pass_hyphens():
    """`--model=swin` is what it types; Hydra's own flags are not touched."""
    typed = ["--model=swin", "--forgery=FaceSwap", "--config-dir=mine", "--cfg=job", "-m", "seed=1"]
    assert completed("train", typed) == ["model=swin", "forgery=FaceSwap", *typed[2:]]


def test_a_pattern_of_weights_is_a_sweep_over_files(tmp_path):
    for name in ("b = 1.pth", "a.pth", "c.txt"):
        (tmp_path / name).touch()
    (found,) = completed("evaluate", [f"model.path=glob({tmp_path}/*.pth)"])
    assert expanded([], [found]) == [[f'model.path="{tmp_path}/a.pth"'], [f'model.path="{tmp_path}/b = 1.pth"']]
    with pytest.raises(UserError, match="there is no such file"):
        completed("evaluate", [f"model.path=glob({tmp_path}/*.bin)"])


@pytest.mark.parametrize(
    "override",
    [
        "hydra.run.dir=/elsewhere", "+hydra.callbacks.x._target_=os.system", "hydra/launcher=joblib",
        "model._target_=os.system", "++logger={_target_:os.system}", "seed=${oc.env:SECRET}", "attack={_args_:[1]}",
        "~hydra.sweeper", "model.factory=/evil.py:x", "model.trust=true",
    ],
)  # fmt: skip
def test_an_earlier_runs_overrides_set_up_no_code(override):
    with pytest.raises(UserError, match="type it yourself"):
        checked_overrides(["model=swin", override], "from_run=x")


def test_plain_choices_and_values_are_repeated():
    kept = [
        "model=timm", "model.backbone=vit_base_patch16_224", "data.root=/mnt/my_face_data_2", "attack@attack.first=jpeg",
        "+trainer.gradient_clip_val=1", "~x.y",
    ]  # fmt: skip
    assert checked_overrides([*kept, "paths.outputs=/elsewhere", "cache.folder=/x"], "from_run=x") == kept
