import os
import subprocess
import sys

import pytest


def python(*arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120
    )


WATCHED = """import runpy, sys
try:
    runpy.run_module('sr_deepfake.' + sys.argv.pop(1), run_name='__main__', alter_sys=True)
finally:
    print('heavy', sorted({'torch', 'pandas', 'lightning', 'cv2', 'numpy'} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("program", "arguments", "status", "words"),
    [
        (
            "train",
            ["model=resnet51"],
            1,
            "Could not find 'model/resnet51'\n\nAvailable options in 'model':\n\tcheckpoint",
        ),
        ("train", ["model.bckbone=x"], 1, "Key 'bckbone' is not in struct"),
        ("train", ["forgery=faceswap"], 1, "forgery='faceswap' is not a choice. Choices: Deepfakes, Face2Face"),
        ("evaluate", ["modl=swin"], 1, "Key 'modl' is not in struct"),
        ("prepare", ["--help"], 0, "python -m sr_deepfake.prepare data=ffpp data.root="),
        ("attack", ["--help"], 0, """IN="$name" OUT=attacked.png python -m sr_deepfake.attack 'input=${oc.env:IN}'"""),
        ("status", ["--help"], 0, "Exit status"),
        ("status", ["seed=0,1"], 3, "2 missing"),
    ],
)
def test_help_and_typos_are_answered_without_anything_heavy(program, arguments, status, words, tmp_path):
    shown = python("-c", WATCHED, program, *arguments, cwd=tmp_path, SR_DEEPFAKE_DATA="ffpp")
    assert shown.returncode == status
    assert words in shown.stdout + shown.stderr
    assert shown.stdout.endswith("heavy []\n")
    assert "Traceback" not in shown.stderr
    assert program == "train" or not any(tmp_path.iterdir())


def test_the_programs_are_listed(tmp_path):
    listed, unknown = (python("-m", "sr_deepfake", *words, cwd=tmp_path) for words in ([], ["trian"]))
    assert (listed.returncode, unknown.returncode) == (0, 2)
    assert unknown.stderr.startswith("error: unknown program 'trian'\n")
    assert unknown.stderr.endswith(listed.stdout)


def test_a_folder_of_configurations_of_ones_own(tmp_path):
    """With hydra.searchpath as with --config-dir."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 77\n")
    for words in ([f"hydra.searchpath=[{tmp_path / 'conf'}]"], ["--config-dir", str(tmp_path / "conf")]):
        ended = python("-m", "sr_deepfake.train", *words, "experiment=mine", "--cfg", "job", cwd=tmp_path)
        assert ended.stdout.startswith("seed: 77\n")


PRINTS = """
from sr_deepfake.app.program import program
@program("report")
def main(cfg, outcome):
    print("read me\\n" * 100_000)
main()
"""


def test_a_reader_that_ends_early_ends_the_program(tmp_path):
    """As in `… | head`."""
    with subprocess.Popen(
        [sys.executable, "-c", PRINTS], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        shown = process.stderr.read()
    assert process.returncode == 1
    assert shown == ""
