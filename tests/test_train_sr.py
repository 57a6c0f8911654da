"""The program that trains EDSR, as a user types it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TINY = [
    "network.blocks=1", "network.features=4", "patches.patch=8", "schedule.steps=4", "schedule.batch=2",
    "schedule.check=2", "trainer=cpu", "trainer.progress=false",
]  # fmt: skip


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sr_deepfake.train_sr", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for name in ("train/a.png", "train/deep/b.jpg", "held out/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        picture.resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return tmp_path


def test_it_trains_prints_the_weights_and_finds_them_finished_again(photos):
    arguments = ["photos=train", "validation='held out'", *TINY]
    first = run(photos, *arguments)
    assert first.returncode == 0, first.stderr
    weights = photos / re.findall(r"Use them with: sr_model\.weights=(.+)", first.stdout)[0]
    assert weights.is_file()
    provenance = json.loads((weights.parent / "provenance.json").read_text())
    assert provenance["program"] == "train_sr"
    assert provenance["config"]["photos"] == "train"
    assert provenance["data"]["files"] == "2"
    assert "Training outputs/super_resolution/edsr_1x4_x2-" in first.stdout
    second = run(photos, *arguments)
    assert second.returncode == 0, second.stderr
    assert "This training is finished already" in second.stdout
    assert json.loads((weights.parent / "provenance.json").read_text()) == provenance

    started = run(photos, *arguments, f"init={weights.relative_to(photos)}", "run_tags=[mine]")
    assert started.returncode == 0, started.stderr
    assert len(list((photos / "outputs" / "super_resolution").iterdir())) == 2


def test_mistakes_are_told_in_one_line(photos):
    for arguments, message in (
        ([], "error: no folder is given; name one with photos=DIR"),
        (["photos=nowhere", "validation=train"], "error: photos: there is no folder nowhere"),
        (["photos=train", "validation=train", "init=none.pt", *TINY], "error: no weights file at none.pt"),
        (["photos=train", "validation=train"], "is 64×64 px; patches of 48 px enlarged 2 times need 96 px"),
    ):
        done = run(photos, *arguments)
        assert done.returncode == 1, (arguments, done.stdout, done.stderr)
        told = done.stdout + done.stderr
        assert message in told
        assert "Traceback" not in told
