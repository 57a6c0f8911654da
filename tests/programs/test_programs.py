"""The programs, as a user types them, on small face crops."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from forked import TINY, results, run

import sr_deepfake

BUNDLED = Path(sr_deepfake.__file__).parent / "super_resolution" / "weights" / "edsr_baseline_x2.safetensors"


def test_train_ends_with_the_table_and_what_it_wrote(crops):
    shown = run("train", *TINY, "forgery=FaceSwap", cwd=crops)
    assert "Attacked:    0 faces from the cache, 12 computed (outputs/attacked_faces/" in shown
    assert "Recall" in shown
    assert "both" in shown
    assert "Illustration" not in shown  # not the sample
    (file,) = results(crops)
    metrics = json.loads(file.read_text())
    assert metrics["run"]["forgery"] == "FaceSwap"
    assert metrics["faces"]["faces"] == 12
    predictions = pd.read_parquet(file.with_name("predictions.parquet"))
    assert len(predictions) == 12
    assert predictions["score_attacked"].notna().all()
    for path in (file, file.with_name("predictions.parquet"), Path(metrics["run"]["detector"])):
        assert str(path.relative_to(crops) if path.is_absolute() else path) in shown
    assert metrics["fake"]["fpr"] == metrics["clean"]["fpr"]


def test_a_second_attack_reuses_the_detector(crops):
    run("train", *TINY, "forgery=FaceSwap", "attack=none", cwd=crops)
    shown = run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", cwd=crops)
    assert "Reusing the finished detector" in shown
    assert len(list((crops / "outputs" / "detectors").glob("*/finished.json"))) == 1
    assert len(results(crops)) == 2


@pytest.mark.slow
def test_a_sweep_trains_each_detector_once(make_faces, tmp_path):
    one = make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    other = make_faces({"train": 8, "val": 4, "test": 6}, method="Deepfakes")
    both = pd.concat([one, other[other["label"] == 1]])
    from sr_deepfake.data.manifest import write_manifest

    write_manifest(both.to_dict("records"), tmp_path / "faces.parquet")
    options = [option for option in TINY if not option.startswith("model=")]
    options = [option for option in options if not option.startswith("model.backbone")]
    shown = run(
        "train", "-m", "model=resnet50,xception", "forgery=Deepfakes,FaceSwap", "attack=none,sr", *options,
        "protocol.epochs=1", cwd=tmp_path,
    )  # fmt: skip
    detectors = sorted(
        path.parent.name for path in (tmp_path / "outputs" / "detectors").glob("*/finished.json")
    )
    assert [name.rsplit("-", 1)[0] for name in detectors] == [
        "resnet50-Deepfakes", "resnet50-FaceSwap", "xception-Deepfakes", "xception-FaceSwap",
    ]  # fmt: skip
    assert shown.count("Training ") == 4
    assert shown.count("Reusing the finished detector") == 4
    assert len(results(tmp_path)) == 8


def test_evaluate_repeats_what_train_measured(crops):
    run("train", *TINY, "forgery=FaceSwap", cwd=crops)
    (file,) = results(crops)
    before = json.loads(file.read_text())
    file.unlink()
    options = [
        option for option in TINY if not option.startswith("protocol")
    ]  # those of the training are kept
    shown = run("evaluate", *options, "detector=outputs/detectors/*FaceSwap*", cwd=crops)
    assert "Training" not in shown
    assert "12 faces from the cache, 0 computed" in shown
    assert json.loads(file.read_text()) == before


def test_attacked_faces_are_kept_by_what_is_in_them(crops):
    run("train", *TINY, "forgery=FaceSwap", cwd=crops)
    predictions = results(crops)[0].with_name("predictions.parquet")
    before = predictions.read_bytes()
    copy = shutil.copy(BUNDLED, crops / "the_same_weights.safetensors")
    damaged = next((crops / "outputs" / "attacked_faces").rglob("*.png"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    options = [option for option in TINY if not option.startswith("protocol")]
    options += ["detector=outputs/detectors/*FaceSwap*", "evaluate.force=true"]
    shown = run("evaluate", *options, f"sr_model.weights={copy}", cwd=crops)
    assert "11 faces from the cache, 1 computed" in shown
    assert "damaged or not theirs: 1." in shown
    predictions.unlink()
    shown = run("evaluate", *options, "cache.attacked=false", cwd=crops)
    assert "Attacked:" not in shown
    assert predictions.read_bytes() == before


def test_evaluate_without_a_detector_says_how_to_make_one(crops):
    shown = run("evaluate", *TINY, "detector=outputs/detectors/none", cwd=crops, status=1)
    assert "sr_deepfake.train" in shown
    assert "Traceback" not in shown


def test_a_missing_method_names_the_command(crops):
    shown = run("train", *TINY, "forgery=NeuralTextures", cwd=crops, status=1)
    assert "NeuralTextures" in shown
    assert "sr_deepfake.prepare" in shown
    assert "Traceback" not in shown


def test_wandb_works_without_a_network(crops):
    run("train", *TINY, "forgery=FaceSwap", "logger=wandb", cwd=crops)
    assert list(crops.glob("outputs/runs/train/*/wandb/offline-run-*/*.wandb"))


def test_losses_and_test_metrics_are_logged_beside_the_run(crops):
    run("train", *TINY, "forgery=FaceSwap", cwd=crops)
    (log,) = crops.glob("outputs/runs/train/*/csv/metrics.csv")
    columns = set(pd.read_csv(log).columns)
    assert {"train/loss_epoch", "val/loss", "test/both/fnr", "test/clean/auc"} <= columns


def test_prepare_names_what_is_missing(tmp_path):
    shown = run("prepare", "data=ffpp", f"data.root={tmp_path / 'nowhere'}", cwd=tmp_path, status=1)
    assert "nowhere" in shown
    assert "Traceback" not in shown
    assert "data.root" in run("prepare", "data=ffpp", cwd=tmp_path, status=1)


def test_missing_sr_weights_are_told_in_one_line(crops):
    shown = run(
        "train", *TINY, "forgery=FaceSwap", "sr_model.weights=nowhere.safetensors", cwd=crops, status=1
    )
    assert "nowhere.safetensors" in shown
    assert "Traceback" not in shown


def detectors(folder):
    return sorted((folder / "outputs" / "detectors").glob("*/finished.json"))


def other_weights():
    """Another machine's arithmetic: the training ends with other weights."""
    from sr_deepfake.detectors.detector import Detector

    loss = Detector.loss
    Detector.loss = lambda self, logits, labels: 1.5 * loss(self, logits, labels)


def test_results_of_other_weights_never_stand(crops):
    arguments = [*TINY, "forgery=FaceSwap", "attack=none,bicubic"]
    run("train", "-m", *arguments, cwd=crops)
    before = {file.parent.name: json.loads(file.read_text())["run"] for file in results(crops)}
    run("train", "-m", *arguments, "train.force=true", cwd=crops)  # the same weights on a CPU
    again = {file.parent.name: json.loads(file.read_text())["run"] for file in results(crops)}
    assert before == again
    shown = run(
        "train", *TINY, "forgery=FaceSwap", "attack=none", "train.force=true", cwd=crops, before=other_weights
    )
    assert "its weights were replaced" in shown
    (left,) = results(crops)
    run_ = json.loads(left.read_text())["run"]
    assert run_["attack"] == "none"
    assert run_["detector_weights"] == json.loads(detectors(crops)[0].read_text())["weights"]
    assert run_["detector_weights"] not in {old["detector_weights"] for old in before.values()}
    assert "1 missing" in run("status", *TINY, "forgery=FaceSwap", "attack=bicubic", cwd=crops, status=3)


def test_a_forced_sweep_trains_each_detector_once(crops):
    run("train", *TINY, "forgery=FaceSwap", "attack=none", cwd=crops)
    written = detectors(crops)[0].stat().st_mtime_ns
    shown = run(
        "train", "-m", *TINY, "forgery=FaceSwap", "attack=none,bicubic", "train.force=true", cwd=crops
    )
    assert shown.count("Training ") == 1
    assert shown.count("Reusing ") == 1
    assert detectors(crops)[0].stat().st_mtime_ns != written
    assert len(results(crops)) == 2


def test_where_caches_lie_changes_no_name(crops):
    run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", cwd=crops)
    elsewhere = ["paths.cache=elsewhere", "cache.folder=elsewhere/faces"]
    shown = run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", *elsewhere, cwd=crops)
    assert "Already done" in shown
    assert len(results(crops)) == len(detectors(crops)) == 1


def test_each_detector_of_an_evaluation_has_a_logger_of_its_own(crops):
    run("train", "-m", *TINY, "forgery=FaceSwap", "attack=none", "seed=0,1", cwd=crops)
    options = [option for option in TINY if not option.startswith("protocol")]
    run("evaluate", *options, "detector=outputs/detectors/*", "attack=bicubic", cwd=crops)
    logs = sorted(crops.glob("outputs/runs/evaluate/*/*/csv/metrics.csv"))
    assert [log.parents[1].name for log in logs] == [file.parent.name for file in detectors(crops)]
    assert all(len(pd.read_csv(log)["test/both/fnr"].dropna()) == 1 for log in logs)


def test_a_fast_development_run_goes_through_every_step_and_keeps_nothing(crops):
    shown = run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", "+trainer.fast_dev_run=true", cwd=crops)
    assert "test/both/fnr" in shown
    assert not results(crops)
    assert not list(crops.glob("outputs/detectors/*"))
    assert not list(crops.glob("outputs/runs/*.json"))


def test_what_is_typed_of_trainer_and_callbacks_is_done_and_told_apart(crops):
    typed = ["trainer.limit_train_batches=1", "+trainer.gradient_clip_val=1", "~callbacks.early_stopping"]
    run("train", *TINY, "forgery=FaceSwap", "attack=none", cwd=crops)
    run("train", *TINY, "forgery=FaceSwap", "attack=none", *typed, cwd=crops)
    recipes = [json.loads((file.parent / "recipe.json").read_text())["training"] for file in detectors(crops)]
    (own,) = [recipe for recipe in recipes if "gradient_clip_val" in recipe["trainer"]]
    assert len(recipes) == 2
    assert own["trainer"]["limit_train_batches"] == 1
    assert sorted(own["callbacks"]) == ["model_checkpoint", "resumption"]
    shown = run(
        "train", *TINY, "forgery=FaceSwap", "attack=none", "+trainer.gradient_clp=1", cwd=crops, status=1
    )
    assert shown.startswith("error: trainer: TypeError: ")
    assert len(shown.splitlines()) == 1


def test_a_home_folder_in_the_environment(crops):
    def home():
        import os

        os.environ |= {"HOME": str(crops / "home"), "SR_DEEPFAKE_OUTPUTS": "~/out"}

    run("train", *TINY, "forgery=FaceSwap", "attack=none", cwd=crops, before=home)
    assert list((crops / "home" / "out" / "results").glob("*/metrics.json"))
    assert not (crops / "~").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("seed=-1", "error: seed=-1"),
        ("protocol.batch_size=0", "error: protocol.batch_size=0"),
        ("model.backbone=resnet51", "Did you mean"),
        ("+protocol.optimizer.foo=1", "'foo'"),
        ("model._target_=nowhere.X", "error: model: "),
        ("trainer.precision=bf16-true", "trainer.precision='bf16-true'"),
        ("callbacks.model_checkpoint.filename=x", "callbacks.model_checkpoint"),
        ("trainer.limit_val_batches=0", "trainer.limit_val_batches=0"),
        ("callbacks=early_stopping", "callbacks=default"),
        ("protocol.augmentation.jpeg=1.5", "protocol.augmentation.jpeg=1.5"),
    ],
)
def test_a_mistake_is_told_in_one_line(crops, typed, told):
    shown = run("train", *TINY, "forgery=FaceSwap", "attack=none", typed, cwd=crops, status=1)
    assert told in shown
    assert "Traceback" not in shown
    assert sum(line.startswith("error: ") for line in shown.splitlines()) == 1


def test_what_a_part_of_the_test_faces_gives_is_no_result_of_the_report(crops):
    run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", cwd=crops)
    options = [option for option in TINY if not option.startswith("protocol")]
    options += ["detector=outputs/detectors/*-FaceSwap-*", "attack=bicubic"]
    run("evaluate", *options, "+trainer.fast_dev_run=true", cwd=crops)
    assert "Already done" in run("evaluate", *options, cwd=crops)
    run("evaluate", *options, "trainer.limit_test_batches=1", cwd=crops)
    from sr_deepfake.reporting.collect import collect

    collected = collect([crops / "outputs"])
    assert (len(collected.results), len(collected.unread)) == (1, 1)
    assert "only a part of the test faces" in collected.unread[0].reason


def test_results_do_not_depend_on_the_processes_that_load_faces(crops, tmp_path):
    """Nor does asking for deterministic layers change them on a CPU."""
    options = [option for option in TINY if not option.startswith("data.workers")]
    found = []
    for workers, deterministic in ((0, "false"), (2, "true")):
        place = tmp_path / str(workers)
        run(
            "train", *options, "forgery=FaceSwap", "attack=sr", f"data.workers={workers}",
            f"paths.outputs={place}", f"trainer.deterministic={deterministic}", cwd=crops,
        )  # fmt: skip
        (file,) = place.glob("results/*/predictions.parquet")
        found.append(pd.read_parquet(file))
    pd.testing.assert_frame_equal(*found, check_exact=True)
