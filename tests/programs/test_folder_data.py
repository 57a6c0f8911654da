"""A folder of one's own, from its photos and clips to a detector's table, as a user types it."""

import json
import shutil

import cv2
import pandas as pd
import pytest
from forked import TINY, run

from sr_deepfake.data.sample.people import ASSETS, read_identity

OPTIONS = [option for option in TINY if not option.startswith("data")] + ["prepare.workers=0", "attack=bicubic"]


def options(root):
    return [*OPTIONS, "data=folder", f'data.root="{root}"']


def fill(folder, people):
    """Put a person's clip or photo into a folder, in turn."""
    folder.mkdir(parents=True)
    for place, person in enumerate(people):
        if place % 2:
            shutil.copy(ASSETS / "identities" / f"{person:03d}.mp4", folder / f"-{person} = ü%.mp4")
        else:
            picture = read_identity(f"{person:03d}")[0][:, :, ::-1]
            (folder / f"{person} 'a\n.PNG").write_bytes(cv2.imencode(".png", picture)[1].tobytes())


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "my own, größe=1"
    fill(root / "Real", range(6))
    fill(root / "1_fake", range(10, 16))
    return root


def test_a_folder_is_prepared_trained_on_and_evaluated(root, tmp_path):
    shown = run("prepare", *options(root)[-4:], cwd=tmp_path)
    assert "Faces: 66 from 12 of 12 videos (12 extracted now, 0 reused)" in shown
    shown = run("train", *options(root), cwd=tmp_path)
    assert "12 videos, 12 of them already done" in shown
    assert "test_resnet on fake" in shown
    (file,) = tmp_path.glob("outputs/results/*/metrics.json")
    before = json.loads(file.read_text())
    assert before["run"]["data"] == "folder"
    predictions = pd.read_parquet(file.with_name("predictions.parquet"))
    assert set(predictions["method"]) == {"pristine", "fake"}
    # A second attack, with the options that a user would type.
    few = [option for option in options(root) if not option.startswith(("protocol", "attack"))]
    shown = run("evaluate", *few, "detector=outputs/detectors/*", "attack=none", cwd=tmp_path)
    assert "Training" not in shown
    assert len(list(tmp_path.glob("outputs/results/*/metrics.json"))) == 2


def test_a_list_of_videos_in_a_csv_file(tmp_path):
    """Any other data set, without a line of code: `data=csv data.list=videos.csv`; face crops are taken as they are."""
    fill(tmp_path / "clips", range(12))
    lines = ["path,label,method,split,target"]
    for place, path in enumerate(sorted((tmp_path / "clips").iterdir())):
        split = ("train", "train", "val", "val", "test", "test")[place // 2]
        lines.append(f'"clips/{path.name}",{place % 2},{"Swapped" if place % 2 else ""},{split},{place // 2}')
    shutil.copy(path, tmp_path / "copy.png")  # of the last one, in another split
    (tmp_path / "videos.csv").write_text("\n".join([*lines, "copy.png,1,Swapped,train,copy"]))
    words = [*OPTIONS, "data=csv", "data.list=videos.csv", "data.crop=false"]
    untested = [line for line in lines if ",test," not in line]
    (tmp_path / "untested.csv").write_text("\n".join(untested))
    shown = run("train", *OPTIONS, "data=csv", "data.list=untested.csv", "data.crop=false", cwd=tmp_path, status=1)
    assert "0 pristine and 0 Swapped faces for test; both are needed" in shown  # before anything is trained
    assert not (tmp_path / "outputs" / "detectors").exists()
    shown = run("train", *words, "data.leaks=error", cwd=tmp_path, status=1)
    assert "data.leaks=drop" in shown
    assert "Traceback" not in shown
    shown = run("train", *words, "data.leaks=drop", cwd=tmp_path)
    assert "1 pairs of files (1 picture)" in shown
    assert "1 files are left out" in shown
    assert "test_resnet on Swapped" in shown
    (file,) = tmp_path.glob("outputs/results/*/metrics.json")
    assert json.loads(file.read_text())["metrics"]["counts"]["clusters"] == 2
    assert set(pd.read_parquet(file.with_name("predictions.parquet"))["side"]) <= {240, 288, 360}
