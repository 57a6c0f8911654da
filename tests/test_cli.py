import os
import subprocess
import sys

import pytest

from sr_deepfake.cli import find_mistake, with_default_data


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
        ["model=timm", "model.name=convnext_tiny"],
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


def python(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("program", ["train", "prepare", "evaluate"])
def test_help_and_typos_import_nothing_heavy(program, tmp_path):
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('sr_deepfake.' + sys.argv.pop(1), run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    print('heavy', sorted({'torch', 'pandas', 'lightning', 'cv2', 'numpy'} & set(sys.modules)))\n"
    )
    mistyped = python("-c", code, program, "model=resnet51", cwd=tmp_path)
    assert mistyped.returncode == 2
    assert mistyped.stdout == "heavy []\n"
    shown = python("-c", code, program, "--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert "forgery" in shown.stdout
    assert shown.stdout.endswith("heavy []\n")
    assert not any(tmp_path.iterdir())


def test_a_typo_ends_with_status_2_and_one_line(tmp_path):
    ended = python("-m", "sr_deepfake.train", "modl=swin", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "error: there is no option 'modl'. Did you mean 'model'?\n"


def test_what_a_user_can_mend_is_told_without_a_traceback(tmp_path):
    ended = python("-m", "sr_deepfake.train", "data=ffpp", cwd=tmp_path)
    assert ended.returncode == 1
    assert "faces.parquet is missing" in ended.stdout + ended.stderr
    assert "sr_deepfake.prepare data=ffpp data.root=" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
