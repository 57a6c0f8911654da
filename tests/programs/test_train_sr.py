"""The program that trains EDSR, as a user types it."""

import json
import re

import numpy as np
import pytest
from forked import run
from PIL import Image

TINY = [
    "network.blocks=1", "network.features=4", "patches.patch=8", "schedule.steps=4", "schedule.batch=2",
    "schedule.check=2", "trainer=cpu", "trainer.enable_progress_bar=false",
]  # fmt: skip


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
    first = run("train_sr", *arguments, cwd=photos)
    weights = photos / re.findall(r"Use them with: sr_model\.weights=(.+)", first)[0]
    assert weights.is_file()
    provenance = json.loads((weights.parent / "provenance.json").read_text())
    assert provenance["program"] == "train_sr"
    assert provenance["config"]["photos"] == "train"
    assert provenance["data"]["files"] == "2"
    assert "Training outputs/super_resolution/edsr_1x4_x2-" in first
    assert "This training is finished already" in run("train_sr", *arguments, cwd=photos)
    assert json.loads((weights.parent / "provenance.json").read_text()) == provenance

    run("train_sr", *arguments, f"init={weights.relative_to(photos)}", "run_tags=[mine]", cwd=photos)
    assert len(list((photos / "outputs" / "super_resolution").iterdir())) == 2


def test_mistakes_are_told_in_one_line(photos):
    for arguments, message in (
        ([], "error: no folder is given; name one with photos=DIR"),
        (["photos=nowhere", "validation=train"], "error: photos: there is no folder nowhere"),
        (["photos=train", "validation=train", "init=none.pt", *TINY], "error: no weights file at none.pt"),
        (["photos=train", "validation=train"], "is 64×64 px; patches of 48 px enlarged 2 times need 96 px"),
    ):
        told = run("train_sr", *arguments, cwd=photos, status=1)
        assert message in told
        assert "Traceback" not in told
