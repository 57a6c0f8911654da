"""Detectors from elsewhere, as a user types them, on small face crops."""

import json
import shutil

import cv2
import pandas as pd
import pytest
from exported import normalisation, to_onnx
from forked import TINY, results, run, without_figures
from torch import nn
from video_files import clips, frames_of

from sr_deepfake.detectors.registry import load_detector

DATA = [option for option in TINY if not option.startswith("model")]
STATISTICS = [f"model.{name}={values}".replace(" ", "") for name, values in normalisation().items()]
OWN = """
def detector():
    return lambda faces: faces.std(dim=(1, 2, 3)) * 9 - 2
"""


def predictions(folder):
    return pd.read_parquet(folder / "predictions.parquet")


@pytest.fixture(scope="module")
def trained(trained_once, tmp_path_factory):
    """A copy of a folder with crops and a detector; and the same detector as ONNX."""
    folder = shutil.copytree(trained_once[0], tmp_path_factory.mktemp("external") / "trained")
    (detector,) = (folder / "outputs" / "detectors").glob("*/finished.json")
    to_onnx(folder / "mine.onnx", nn.Sequential(load_detector(detector.parent).backbone))
    return folder


def test_an_exported_detector_has_the_scores_of_the_trained_one_and_is_in_the_same_report(trained):
    mine = ["model=onnx", "model.path=mine.onnx", *STATISTICS]
    shown = run("evaluate", *mine, "forgery=FaceSwap", *DATA, cwd=trained)
    assert "mine (mine.onnx) is loaded with" in shown
    assert "model.size = 48 (the graph)" in shown
    assert "model.output = logit (from its numbers)" in shown
    found = {json.loads(file.read_text())["run"]["model"]: file.parent for file in results(trained)}
    assert set(found) == {"test_resnet", "mine"}
    pd.testing.assert_frame_equal(
        predictions(found["mine"]), predictions(found["test_resnet"]), check_exact=False, atol=1e-4, rtol=0
    )

    again = run("evaluate", *mine, "forgery=FaceSwap", *DATA, cwd=trained)
    assert "Already done" in again
    (folder,) = (trained / "outputs" / "detectors").glob("mine-external-*")
    by_name = run("evaluate", f"detector={folder.relative_to(trained)}", "forgery=FaceSwap", *DATA, cwd=trained)
    assert "Already done" in by_name

    run("report", cwd=trained, before=without_figures)
    (table,) = (trained / "outputs").rglob("table_1.csv")
    assert {"test_resnet", "mine"} <= set(pd.read_csv(table)["Model"].dropna())
    (page,) = (trained / "outputs").rglob("*.html")
    assert "mine on FaceSwap" in page.read_text()


def test_swapped_labels_are_reported_with_the_option_that_swaps_them(trained):
    red = "def detector():\n    return lambda faces: 99 * (faces.mean(1) - faces[:, 0]).mean((1, 2))\n"
    (trained / "own.py").write_text(red)  # fakes have a reddish patch
    options = ["model=python", "model.factory=own.py:detector", "forgery=FaceSwap", *DATA, "attack=none"]
    shown = run("evaluate", *options, cwd=trained)
    assert "The AUC of clean faces is 0.00" in shown
    assert "model.fake_index=0 swaps them" in shown
    assert "probably swapped" not in run("evaluate", *options, "model.fake_index=0", cwd=trained)


def test_an_external_detector_scores_photos_before_and_after_the_attack(trained):
    (trained / "own.py").write_text(OWN)
    cv2.imwrite(str(trained / "photo.png"), frames_of(clips()[0])[0][:, :, ::-1])
    options = ["input=photo.png", "attack=bicubic", "trainer=cpu"]
    own = ["model=python", "model.factory=own.py:detector"]
    run("attack", *options, "output=attacked.png", *own, cwd=trained)
    (row,) = pd.read_csv(trained / "report.csv").to_dict("records")
    assert 0 < row["fake_clean"] < 1
    run("evaluate", "input=photo.png", *own, "trainer=cpu", cwd=trained)

    folder = next((trained / "outputs" / "detectors").glob("own-external-*"))
    shown = run("attack", *options, "output=other.png", f"detector={folder}", cwd=trained, status=1)
    assert "names code" in shown
    assert len(shown.splitlines()) == 1


def test_code_that_the_options_of_somebody_elses_results_name_is_not_run(trained):
    (trained / "own.py").write_text("open('run', 'w')\n" + OWN)
    run("evaluate", "model=python", "model.factory=own.py:detector", "forgery=FaceSwap", *DATA, cwd=trained)
    (trained / "run").unlink()
    made = max(results(trained), key=lambda file: file.stat().st_mtime).parent
    shown = run("evaluate", f"from_run={made}", cwd=trained, status=2)
    assert "model.factory=own.py:detector" in shown
    assert "type it yourself" in shown
    assert not (trained / "run").exists()


def test_a_missing_extra_is_named_with_its_command_and_it_is_not_trained(trained):
    def without():
        import sys

        sys.modules["onnxruntime"] = None

    mine = ["model=onnx", "model.path=mine.onnx", *DATA]
    shown = run("evaluate", *mine, cwd=trained, status=1, before=without)
    assert "pip install onnxruntime" in shown
    assert len(shown.splitlines()) == 1
    assert "python -m sr_deepfake.evaluate with the same options" in run("train", *mine, cwd=trained, status=1)


def test_a_trained_detector_meets_another_data_set(trained, tmp_path):
    """Cross-data evaluation: whatever the methods are called there, all are met, and the report shows them."""
    root = tmp_path / "celeb"
    for index, clip in enumerate(clips()[:4]):
        folder = "Celeb-synthesis" if index % 2 else "Celeb-real"
        (root / folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(clip, root / folder / f"id{index}_0000.mp4")
    names = [f"{int(path.parent.name == 'Celeb-real')} {path.parent.name}/{path.name}" for path in root.glob("*/*")]
    (root / "List_of_testing_videos.txt").write_text("\n".join(names))
    options = ["data=celebdf", f"data.root={root}", "extraction.frames=2", "prepare.workers=0"]
    run("prepare", *options, "prepare.progress=false", cwd=trained)
    (detector,) = (trained / "outputs" / "detectors").glob("test_resnet-*")
    shown = run(
        "evaluate", f"detector={detector.relative_to(trained)}", *options, "attack=bicubic", "trainer=cpu", cwd=trained
    )
    assert "test_resnet (FaceSwap) on Celeb-synthesis" in shown
    report = run("report", "grid.data=celebdf", "out=celeb-report", cwd=trained, before=without_figures)
    assert "test_resnet (FaceSwap)" in report


def test_a_test_set_of_one_class_has_its_rate_alone(trained, tmp_path):
    root = tmp_path / "own" / "fake"
    root.mkdir(parents=True)
    for index in range(2):
        cv2.imwrite(str(root / f"{index}.png"), frames_of(clips()[index])[0][:, :, ::-1])
    (detector,) = (trained / "outputs" / "detectors").glob("test_resnet-*")
    shown = run(
        "evaluate", f"detector={detector.relative_to(trained)}", "data=folder", f"data.root={tmp_path / 'own'}",
        "data.crop=false", "prepare.workers=0", "attack=bicubic", "trainer=cpu", cwd=trained,
    )  # fmt: skip
    (clean,) = [line.split() for line in shown.splitlines() if line.startswith("clean ")]
    assert clean[2] == clean[5] == "–"  # FPR and AUC


def test_a_margin_that_a_detector_expects_is_refused_where_that_of_the_faces_is_unknown(trained, tmp_path):
    """Faces of DeepfakeBench, and of crop=false, were cut as if they had our margin of 10 %."""
    root = tmp_path / "own"
    for kind in ("real", "fake"):
        (root / "test" / kind).mkdir(parents=True)
        cv2.imwrite(str(root / "test" / kind / "a.png"), frames_of(clips()[0])[0][:, :, ::-1])
    mine = ["model=onnx", "model.path=mine.onnx", *STATISTICS, "model.crop_margin=0.05", "attack=none", "trainer=cpu"]
    data = ["data=folder", f"data.root={root}", "data.crop=false", "prepare.workers=0"]
    shown = run("evaluate", *mine, *data, cwd=trained, status=1)
    assert "model.crop_margin=0.05: the margin of these faces is unknown" in shown
    assert "Recall" in run("evaluate", *mine, *DATA, "forgery=FaceSwap", cwd=trained)


def test_the_threshold_is_that_of_the_training_methods_validation_faces(two_methods):
    """It was of whichever of `train tested_on=X` and `evaluate forgery=X` ran first."""
    run("train", *TINY, "forgery=FaceSwap", "tested_on=Deepfakes", "attack=none", cwd=two_methods)
    (made,) = results(two_methods)
    run_info = json.loads(made.read_text())
    (detector,) = (two_methods / "outputs" / "detectors").glob("*/finished.json")
    words = [f"detector={detector.parent}", *DATA, "forgery=Deepfakes", "attack=none"]
    assert "Already done" in run("evaluate", *words, cwd=two_methods)
    own = run("evaluate", *words, "forgery=FaceSwap", cwd=two_methods)
    assert "Already done" not in own
    (other,) = set(results(two_methods)) - {made}
    for part in ("value", "faces"):
        found = json.loads(other.read_text())["metrics"]["threshold"]
        assert found[part] == run_info["metrics"]["threshold"][part]
