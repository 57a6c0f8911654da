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
    fill(root / "Real", range(0, 10))
    fill(root / "1_fake", range(10, 20))
    return root


def test_a_folder_is_prepared_trained_on_and_evaluated(root, tmp_path):
    shown = run("prepare", *options(root)[-4:], cwd=tmp_path)
    assert "Faces: 110 from 20 of 20 videos (20 extracted now, 0 reused)" in shown
    shown = run("train", *options(root), cwd=tmp_path)
    assert "20 videos, 20 of them already done" in shown
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


@pytest.mark.slow
def test_a_given_split_of_face_crops_is_used_as_it_is(tmp_path):
    root = tmp_path / "crops"
    for place, split in enumerate(("train", "val", "test")):
        fill(root / split / "real", range(20 * place, 20 * place + 4))
        fill(root / split / "fake", range(20 * place + 10, 20 * place + 14))
    shutil.copytree(root / "test" / "real", root / "train" / "real" / "copies")
    shown = run("train", *options(root), "data.crop=false", "data.leaks=drop", cwd=tmp_path)
    assert "4 pairs of files (4 picture)" in shown
    assert "4 files are left out" in shown
    assert "test_resnet on fake" in shown
    (file,) = tmp_path.glob("outputs/results/*/metrics.json")
    assert set(pd.read_parquet(file.with_name("predictions.parquet"))["side"]) <= {240, 288, 360}
    shown = run("train", *options(root), "data.crop=false", "data.leaks=error", cwd=tmp_path, status=1)
    assert "Traceback" not in shown
    assert "data.leaks=drop" in shown


def test_mistakes_are_one_line(root, tmp_path):
    for program, arguments, message in (
        ("prepare", ["data=folder"], "data.root="),
        ("train", [*options(root), "forgery=FaceSwap"], "forgery='FaceSwap' is not a choice. Choices: fake."),
    ):
        shown = run(program, *arguments, cwd=tmp_path, status=1)
        assert message in shown
        assert "Traceback" not in shown


def test_a_list_of_videos_in_a_csv_file(tmp_path):
    """Any other data set, without a line of code: `data=csv data.list=videos.csv`."""
    fill(tmp_path / "clips", range(12))
    lines = ["path,label,method,split,target"]
    for place, path in enumerate(sorted((tmp_path / "clips").iterdir())):
        split = ("train", "train", "val", "val", "test", "test")[place // 2]
        name = path.name.replace('"', '""')
        lines.append(f'"clips/{name}",{place % 2},{"Swapped" if place % 2 else ""},{split},{place // 2}')
    (tmp_path / "videos.csv").write_text("\n".join(lines))
    words = [*OPTIONS, "data=csv", "data.list=videos.csv", "data.crop=false"]
    shown = run("train", *words, cwd=tmp_path)
    assert "test_resnet on Swapped" in shown
    (file,) = tmp_path.glob("outputs/results/*/metrics.json")
    assert json.loads(file.read_text())["metrics"]["counts"]["clusters"] == 2
