"""CONTRIBUTING's recipes, followed step by step in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from PIL import Image
from scenes import two_people
from torch import nn
from video_files import clips

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "CONTRIBUTING.md"
COPIED = ("pyproject.toml", "CONTRIBUTING.md", "conf", "sr_deepfake", "tests")
# What a run takes instead of the sample (minutes) and of ResNet50 at 224 px.
FEW = "extraction.frames=2"
TINY = f"protocol=quick model=timm model.backbone=test_vit protocol.image_size=160 {FEW}"
SMALL = {
    "prepare data=swapped": f"prepare prepare.workers=0 {FEW} data=swapped",
    "experiment=demo": f"data=swapped {TINY}",
    "forgery=FaceSwap": f"data=swapped protocol=quick {FEW}",
    "data.root=DIR protocol=quick": f"data.root=DIR {TINY}",
}


def recipes():
    """Title → text; the data set's first, since the others are tried on it."""
    parts = re.split(r"^## (Add .+)$", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {title: found[title] for title in sorted(found, key=lambda title: title != "Add a data set")}


pytestmark = [pytest.mark.nightly, pytest.mark.skipif(not GUIDE.is_file(), reason="not in a checkout")]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The repository, a photo, and a folder of clips as the data set's recipe describes it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        take = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        take(ROOT / name, folder / name)
    Image.fromarray(two_people()).save(folder / "photo.jpg")
    for index, clip in enumerate(clips()):
        for kind in ("real", "swapped"):
            (folder / "DIR" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, folder / "DIR" / kind / f"a{index}_1.mp4")
    network = [nn.Conv2d(3, 64, 5), nn.Tanh(), nn.Conv2d(64, 32, 3), nn.Tanh(), nn.Conv2d(32, 12, 3)]
    torch.save(nn.Sequential(*network).state_dict(), folder / "espcn_x2.pth")
    return folder


# Runs each command of its input in a fork, so that torch is imported once; prints the exit status.
FORKS = """
import os, runpy, shlex, sys
import lightning, timm, torch, torchvision

for line in sys.stdin:
    child = os.fork()
    if not child:
        sys.argv = shlex.split(line)[2:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def typed(copy):
    """Runs `python -m sr_deepfake…` in the copy; returns its exit status and what it printed."""
    with open(copy / "printed.txt", "w+") as printed, subprocess.Popen(
        [sys.executable, "-c", FORKS], cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed,
    ) as process:  # fmt: skip

        def type_in(command):
            process.stdin.write(f"{command}\n")
            process.stdin.flush()
            lines = []
            while not re.fullmatch(r"-?\d+\n", line := process.stdout.readline()):
                assert line or process.poll() is None, "".join(lines)
                lines.append(line)
            return int(line), "".join(lines) + (copy / "printed.txt").read_text()

        yield type_in
        process.stdin.close()


@pytest.mark.parametrize("title", recipes() if GUIDE.is_file() else [])
def test_the_steps_of_a_recipe_work_as_they_stand_there(copy, typed, title):
    text = recipes()[title]
    files = re.findall(r"^ +File `([^`]+)`:\n\n +```\w+\n(.*?)^    ```$", text, re.MULTILINE | re.DOTALL)
    for path, content in files:
        (copy / path).write_text(textwrap.dedent(content), encoding="utf-8")
    steps = re.findall(r"^    ```sh\n(.*?)^    ```$", text, re.MULTILINE | re.DOTALL)
    commands = [line.strip() for step in steps for line in step.splitlines()]
    assert files
    assert all(command.startswith("python -m sr_deepfake") for command in commands)
    for command in commands:
        for theirs, small in SMALL.items():
            command = command.replace(theirs, small)
        status, printed = typed(command)
        assert status == 0, f"{command}\n{printed}"
