"""What loggers of experiments record of a job."""

import contextlib
import json
import os
import socket
import sqlite3
from importlib.util import find_spec

import pandas as pd
import pytest
from forked import TINY, run
from wandb_file import read_run

from sr_deepfake.experiment.results import read_result
from sr_deepfake.tracking.loggers import figures_of, wandb_logger

LOGGED = [*TINY, "forgery=FaceSwap"]


def logged(folder):
    return [read_run(file) for file in sorted(folder.glob("outputs/**/wandb/offline-run-*/*.wandb"))]


def test_a_run_of_wandb_holds_every_figure_and_file(crops):
    steps = ["protocol.batch_size=2", "protocol.epochs=3"]  # the learning rate is logged at every tenth
    run("train", *LOGGED, *steps, "attack=bicubic", "logger=wandb", "logger.checkpoint=true", cwd=crops)
    (job,) = logged(crops)
    (out,) = (crops / "outputs" / "results").iterdir()
    metrics = figures_of(read_result(out).metrics)
    assert 25 < len(metrics) <= 40  # what is undefined is left out
    assert {"test/both/fnr", "test/fake/fpr", "test/clean/auc", "test/changes/both/fnr"} <= metrics.keys()
    numbers = {name for name, value in job.summary.items() if isinstance(value, int | float) and name[0] != "_"}
    figures = {name for name in numbers if not name.endswith(("ncols", "nrows", "size"))}  # W&B's own, of a table
    assert metrics.keys() <= figures
    assert len(figures) <= 40, ", ".join(sorted(figures))
    for name, value in metrics.items():
        assert job.history[name] == [pytest.approx(value, nan_ok=True)], name
    for name in ("train/loss_epoch", "val/loss", "val/auc"):
        assert len(job.history[name]) == 3  # epochs
    assert any(name.startswith("lr-") for name in job.history)
    assert (job.config["protocol"]["epochs"], job.config["forgery"]) == (3, "FaceSwap")
    assert (job.name, job.job_type, job.group) == ("test_resnet-FaceSwap-bicubic-x2", "train", "")
    assert {"test_resnet", "FaceSwap", "bicubic-x2", "ffpp"} <= set(job.tags)
    assert {"metrics.json", "predictions.parquet", "provenance.json"} <= set(job.artifacts["predictions"])
    assert job.artifacts["model"] == ["best.ckpt"]
    assert job.exit_code == 0
    (table,) = job.history["test/scores"]
    (file,) = crops.glob(f"outputs/**/{table['path']}")
    scores = pd.DataFrame(**json.loads(file.read_text()))
    predictions = pd.read_parquet(out / "predictions.parquet")
    assert scores["score"].tolist() == pytest.approx(predictions["score"].tolist())
    assert "test/roc" in " ".join(job.history)


def test_the_jobs_of_a_sweep_are_runs_of_one_group(crops):
    run("train", "-m", *LOGGED, "attack=none,bicubic", "logger=wandb", cwd=crops)
    jobs = logged(crops)
    assert sorted(job.name for job in jobs) == ["test_resnet-FaceSwap-bicubic-x2", "test_resnet-FaceSwap-none"]
    (sweep,) = (crops / "outputs" / "sweeps" / "train").iterdir()
    assert {job.group for job in jobs} == {sweep.name}


def test_without_an_account_it_says_what_to_do_before_any_training(crops):
    def without_account():
        for name in ("WANDB_API_KEY", "WANDB_MODE", "NETRC", "WANDB_BASE_URL"):
            os.environ.pop(name, None)
        os.environ["HOME"] = str(crops)

    shown = run("train", *LOGGED, "attack=none", "logger=wandb", cwd=crops, before=without_account, status=1)
    assert "logger=wandb: W&B has no API key (`wandb login` stores one); WANDB_MODE=offline keeps the run" in shown
    assert not list(crops.glob("outputs/detectors/*"))


@pytest.mark.nightly
def test_a_service_that_is_out_of_reach_is_said_before_any_training(crops):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    def with_account():
        from sr_deepfake.tracking import loggers

        os.environ.pop("WANDB_MODE", None)
        os.environ |= {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": f"http://127.0.0.1:{port}"}
        loggers.PATIENCE |= {"init_timeout": 2}

    shown = run("train", *LOGGED, "attack=none", "logger=wandb", cwd=crops, before=with_account, status=1)
    assert "logger=wandb: W&B refused the run" in shown
    assert "WANDB_MODE=offline" in shown
    assert not list(crops.glob("outputs/detectors/*"))


def test_a_disabled_wandb_writes_nothing(crops):
    def disable():
        os.environ["WANDB_MODE"] = "disabled"

    run("train", *LOGGED, "attack=none", "logger=wandb", cwd=crops, before=disable)
    assert not list(crops.glob("outputs/**/wandb*"))
    assert list(crops.glob("outputs/results/*/metrics.json"))


def test_tensorboard_gets_the_same_figures(crops):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run("train", *LOGGED, "attack=none", "logger=tensorboard", cwd=crops)
    (folder,) = crops.glob("outputs/runs/train/*/tensorboard")
    events = accumulator.EventAccumulator(str(folder)).Reload()
    (out,) = (crops / "outputs" / "results").iterdir()
    (point,) = events.Scalars("test/clean/auc")
    assert point.value == pytest.approx(figures_of(read_result(out).metrics)["test/clean/auc"])
    assert len(events.Scalars("val/loss")) == 2


@pytest.mark.nightly
@pytest.mark.skipif(not (find_spec("mlflow") and find_spec("sqlalchemy")), reason="needs mlflow and its database")
def test_mlflow_gets_the_same_figures(crops):
    run("train", *LOGGED, "attack=none", "logger=mlflow", cwd=crops)
    # Read without mlflow, whose import takes longer than the training.
    with contextlib.closing(sqlite3.connect(crops / "outputs" / "mlflow.db")) as database:
        ((job, name),) = database.execute(
            "SELECT run_uuid, runs.name FROM runs JOIN experiments USING (experiment_id) WHERE experiments.name = 'sr_deepfake'"
        )
        metrics = dict(database.execute("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", [job]))
        params = dict(database.execute("SELECT key, value FROM params WHERE run_uuid = ?", [job]))
    (out,) = (crops / "outputs" / "results").iterdir()
    assert metrics["test/clean/auc"] == pytest.approx(figures_of(read_result(out).metrics)["test/clean/auc"])
    assert params["protocol/epochs"] == "2"
    assert name == "test_resnet-FaceSwap-none"


def test_a_logger_that_is_not_installed_names_its_package(crops):
    def without():
        import importlib.util

        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "mlflow" else find(name, *rest)

    shown = run("train", *LOGGED, "attack=none", "logger=mlflow", cwd=crops, status=1, before=without)
    assert "pip install mlflow" in shown


def test_tags_are_as_long_as_wandb_takes_them(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    made = wandb_logger("p", "run", None, ["a" * 100, "", "short"], str(tmp_path), "train")
    try:
        assert set(made.experiment.tags) == {"a" * 64, "short"}
    finally:
        made.experiment.finish()
