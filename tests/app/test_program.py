import os
import subprocess
import sys

import pytest


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
