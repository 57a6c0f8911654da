"""The programs, as a user types them, on small face crops."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from forked import TINY, results, run
from lightning.pytorch.utilities.rank_zero import rank_zero_only

import sr_deepfake
from sr_deepfake.reporting.collect import collect

BUNDLED = Path(sr_deepfake.__file__).parent / "super_resolution" / "weights" / "edsr_baseline_x2.safetensors"
RUN = [*TINY, "forgery=FaceSwap"]
EVALUATE = [option for option in TINY if not option.startswith("protocol")]  # that of the training is kept
EVALUATE += ["detector=outputs/detectors/*FaceSwap*"]


def detectors(folder):
    return sorted((folder / "outputs" / "detectors").glob("*/finished.json"))


def info(file):
    return json.loads(file.read_text())["run"]


def test_train_ends_with_one_table_and_what_it_wrote(trained_once):
    folder, shown = trained_once
    (file,) = results(folder)
    content = json.loads(file.read_text())
    assert (content["run"]["forgery"], content["metrics"]["counts"]["faces"]) == ("FaceSwap", 12)
    predictions = pd.read_parquet(file.with_name("predictions.parquet"))
    assert len(predictions) == 12
    assert predictions["score_attacked"].notna().all()
    table, *rest = shown[shown.index("test_resnet on FaceSwap") :].split("\n\n")[1:3]
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["clean", "both", "fakes"]
    assert len(table.splitlines()[0].split()) == 6  # FNR, FPR, recall, precision, AUC, accuracy
    lines = rest[0].splitlines()
    assert [line.split(" ")[0] for line in lines[:3]] == ["Change", "Similarity,", "12"]
    assert f"Results: {file.parent.relative_to(folder)}" in lines
    assert "Attacked faces: 0 from the cache, 12 computed (outputs/attacked_faces/" in shown
    assert "Illustration" not in shown  # not the sample
    columns = set(pd.read_csv(next(folder.glob("outputs/runs/train/*/csv/metrics.csv"))).columns)
    assert {"train/loss_epoch", "val/loss", "test/both/fnr", "test/clean/auc"} <= columns


def test_a_sweep_trains_each_detector_once(crops):
    """Of two backbones, each with two attacks; tests of the experiments sweep over forgery methods."""
    sweep = ["model.backbone=test_resnet,test_efficientnet", "attack=none,bicubic", "protocol.epochs=1"]
    shown = run("train", "-m", *RUN, *sweep, cwd=crops)
    assert [file.parent.name.rsplit("-", 1)[0] for file in detectors(crops)] == [
        "test_efficientnet-FaceSwap", "test_resnet-FaceSwap",
    ]  # fmt: skip
    assert (shown.count("Training "), shown.count("Reusing the finished detector")) == (2, 2)
    assert len(results(crops)) == 4


def test_evaluate_repeats_what_train_measured(trained):
    (file,) = results(trained)
    before = json.loads(file.read_text())
    file.unlink()
    shown = run("evaluate", *EVALUATE, cwd=trained)
    assert "Training" not in shown
    assert "12 from the cache, 0 computed" in shown
    assert json.loads(file.read_text()) == before


def test_attacked_faces_are_kept_by_what_is_in_them(trained):
    predictions = results(trained)[0].with_name("predictions.parquet")
    before = predictions.read_bytes()
    copy = shutil.copy(BUNDLED, trained / "the_same_weights.safetensors")
    damaged = next((trained / "outputs" / "attacked_faces").rglob("*.png"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    options = [*EVALUATE, "evaluate.force=true"]
    shown = run("evaluate", *options, f"sr_model.weights={copy}", cwd=trained)
    assert "11 from the cache, 1 computed" in shown
    assert "attacked again: 1." in shown
    predictions.unlink()
    shown = run("evaluate", *options, "cache.attacked=false", cwd=trained)
    assert "Attacked faces:" not in shown
    assert predictions.read_bytes() == before


def other_weights():
    """Another machine's arithmetic: the training ends with other weights."""
    from sr_deepfake.detectors.detector import Detector

    loss = Detector.loss
    Detector.loss = lambda self, logits, labels: 1.5 * loss(self, logits, labels)


def test_results_of_other_weights_are_removed(trained):
    arguments = [*RUN, "attack=none,bicubic"]
    shown = run("train", "-m", *arguments, cwd=trained)
    assert shown.count("Reusing the finished detector") == 2
    assert (len(detectors(trained)), len(results(trained))) == (1, 3)
    before = {file.parent.name: info(file) for file in results(trained)}
    shown = run("train", "-m", *arguments, "train.force=true", cwd=trained)  # the same weights on a CPU
    assert (shown.count("Training "), shown.count("Reusing ")) == (1, 1)
    assert {file.parent.name: info(file) for file in results(trained)} == before
    shown = run("train", *RUN, "attack=none", "train.force=true", cwd=trained, before=other_weights)
    assert "its weights were replaced" in shown
    (left,) = results(trained)
    assert info(left)["attack"]["name"] == "none"
    assert info(left)["weights"] == json.loads(detectors(trained)[0].read_text())["weights"]
    assert info(left)["weights"] not in {old["weights"] for old in before.values()}
    assert "1 missing" in run("status", *RUN, "attack=bicubic", cwd=trained, status=3)


def test_each_detector_of_an_evaluation_has_a_logger_of_its_own(trained):
    """Those of a pattern that are not finished are skipped."""
    run("train", *RUN, "attack=none", "seed=1", cwd=trained)
    folder = detectors(trained)[0].parent
    unfinished = shutil.copytree(folder, folder.with_name("a-unfinished"))
    (unfinished / "finished.json").unlink()
    shown = run("evaluate", *EVALUATE[:-1], "detector=outputs/detectors/*", "attack=bicubic", cwd=trained)
    assert "Skipped: the training in outputs/detectors/a-unfinished is not finished." in shown
    logs = sorted(trained.glob("outputs/runs/evaluate/*/*/csv/metrics.csv"))
    assert [log.parents[1].name for log in logs] == [file.parent.name for file in detectors(trained)]
    assert all(len(pd.read_csv(log)["test/both/fnr"].dropna()) == 1 for log in logs)


def test_a_fast_development_run_goes_through_every_step_and_keeps_nothing(crops):
    shown = run("train", *RUN, "attack=bicubic", "+trainer.fast_dev_run=true", cwd=crops)
    assert "test/both/fpr" in shown  # of the first batch, whose faces are pristine
    assert not results(crops)
    assert not list(crops.glob("outputs/detectors/*"))


def test_a_part_of_the_test_faces_is_no_result_of_the_report(trained):
    assert "test/both/fpr" in run("evaluate", *EVALUATE, "+trainer.fast_dev_run=true", cwd=trained)
    # Where caches are changes no result; nor does the training's precision, since scores are float32.
    others = ["paths.cache=other", "cache.folder=other/faces", "trainer.precision=bf16-mixed"]
    assert "Already done" in run("evaluate", *EVALUATE, *others, cwd=trained)
    run("evaluate", *EVALUATE, "trainer.limit_test_batches=1", cwd=trained)
    collected = collect([trained / "outputs"])
    assert (len(collected.results), len(collected.unread)) == (1, 1)
    assert "only a part of the test faces" in collected.unread[0].reason


@pytest.mark.nightly
def test_results_do_not_depend_on_the_processes_that_load_faces(trained_once, tmp_path):
    """Nor does asking for deterministic layers change them on a CPU."""
    options = [option for option in RUN if not option.startswith("data.workers")]
    options += ["data.workers=2", "trainer.deterministic=true", f"paths.outputs={tmp_path}"]
    run("train", *options, cwd=trained_once[0])
    found = [
        pd.read_parquet(next(folder.glob("results/*/predictions.parquet")))
        for folder in (trained_once[0] / "outputs", tmp_path)
    ]
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_a_rank_that_another_launcher_left_in_the_environment_is_not_ours(crops):
    """Several trainings in one srun, each on a device of its own: task 1 is as much the first as task 0."""

    def ranked():
        os.environ.update(RANK="1", LOCAL_RANK="1", WORLD_SIZE="2")
        rank_zero_only.rank = 1

    shown = run("train", *RUN, "attack=none", "logger=csv", cwd=crops, before=ranked)
    assert "test faces of ffpp" in shown
    assert len(results(crops)) == 1
