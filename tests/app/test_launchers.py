"""Sweeps on launchers: each with a small sweep that it really runs, Slurm's with a stand-in for Slurm."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import fake_slurm
import hydra
import numpy as np
import pandas as pd
import pytest
from forked import TINY, run
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import OmegaConf

from sr_deepfake.app.launchers import check_launcher
from sr_deepfake.app.program import CONF
from sr_deepfake.system.errors import UserError

# In a program this warning of Hydra's is not shown; pytest has filters of its own.
pytestmark = pytest.mark.filterwarnings(r"ignore:\s*'hydra/launcher")

PACKAGES = {
    "joblib": "hydra_joblib_launcher", "submitit_local": "hydra_submitit_launcher",
    "submitit_slurm": "hydra_submitit_launcher", "ray": "hydra_ray_launcher",
}  # fmt: skip
RAY = ["hydra/launcher=ray", "hydra.launcher.ray.remote.num_gpus=0", "hydra.launcher.ray.remote.num_cpus=1"]


def need(preset):
    """Skip the test where the launcher is not installed."""
    pytest.importorskip(f"hydra_plugins.{PACKAGES[preset]}")
    if preset == "ray":
        pytest.importorskip("ray")


def compose(*overrides, program="train"):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(program, list(overrides), return_hydra_config=True)


def check(*overrides):
    cfg = compose(*overrides)
    check_launcher(cfg.hydra, cfg.trainer)


def results(folder):
    return {file.parent.name: json.loads(file.read_text()) for file in folder.glob("outputs/results/*/metrics.json")}


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"])
def test_a_sweep_with_a_job_that_fails(crops, launcher):
    """In processes of their own: what is done is done, what failed is listed, and the status is 1."""
    need(launcher)
    preset = RAY if launcher == "ray" else [f"hydra/launcher={launcher}"]
    sweep = ["-m", *TINY, "forgery=FaceSwap,NeuralTextures", "attack=bicubic", *preset]
    shown = run("train", *sweep, cwd=crops, status=1)
    listing = shown[shown.index("1 job(s) of the sweep failed") :]
    assert "forgery=NeuralTextures" in listing
    assert "0 NeuralTextures faces for train" in listing
    assert "forgery=FaceSwap" not in listing
    assert "is validated against ConfigStore schema" not in shown
    (found,) = results(crops).values()
    assert found["run"]["forgery"] == "FaceSwap"
    assert Path(crops, re.search("log: (.*)", listing)[1], "train.log").is_file()
    shown = run("status", *sweep[1:], cwd=crops, status=1)
    assert "1 done, 1 failed" in shown


@pytest.mark.nightly
def test_prepare_in_parts_makes_the_same_manifest(tmp_path):
    """Of parts that two processes work on."""
    need("joblib")
    rng = np.random.default_rng(0)
    for label in ("real", "fake"):
        for number in range(6):
            file = tmp_path / "photos" / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), rng.integers(0, 255, (48, 48, 3)))
    own = ["data=folder", "data.root=photos", "data.crop=false", "prepare.workers=0", "prepare.progress=false"]
    run("prepare", *own, "data.crops=whole", cwd=tmp_path)
    run("prepare", "-m", *own, "data.crops=parts", "prepare.shards=3", "hydra/launcher=joblib", cwd=tmp_path)
    assert len(list(tmp_path.glob("outputs/sweeps/prepare/*/[0-9]"))) == 3
    for name in ("faces.parquet", "videos.csv", "skipped.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert len(pd.read_parquet(tmp_path / "parts" / "faces.parquet")) == 12
    shown = run("prepare", *own, "prepare.shards=3", cwd=tmp_path, status=1)
    assert "needs -m" in shown


def test_the_parts_of_prepare_may_be_named_one_by_one():
    cfg = compose("prepare.shards=4", program="prepare")
    assert cfg.hydra.sweeper.params == {"prepare.shard": "range(0,4)"}


def test_every_preset_is_known():
    assert {file.stem for file in (CONF / "hydra" / "launcher").glob("*.yaml")} == set(PACKAGES)


@pytest.mark.parametrize("preset", PACKAGES)
def test_presets_compose_and_hydra_finds_the_launchers(preset):
    cfg = compose(f"hydra/launcher={preset}")
    cfg.hydra.sweep.dir = "there"
    assert OmegaConf.to_container(cfg.hydra.launcher, resolve=True)["_target_"].startswith("hydra_plugins.")
    need(preset)
    context = HydraContext(config_loader=None, callbacks=None)
    made = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=print, config=cfg)
    assert isinstance(made, Launcher)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    def absent(package):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr("importlib.metadata.distribution", absent)
    for preset, package in PACKAGES.items():
        with pytest.raises(UserError, match=f"pip install {package.replace('_', '-')}"):
            check(f"hydra/launcher={preset}")


SLURM = "hydra/launcher=submitit_slurm"


@pytest.fixture
def all_packages(monkeypatch):
    monkeypatch.setattr("importlib.metadata.distribution", lambda package: package)


@pytest.mark.usefixtures("all_packages")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra/launcher=joblib", "trainer=ddp"], "several detectors would be trained at once"),
        (["hydra/launcher=joblib", "trainer.devices=2"], "Leave out hydra/launcher"),
        (["hydra/launcher=submitit_local", "trainer=ddp"], "on the same devices"),
        ([SLURM, "trainer=ddp"], r"hydra\.launcher\.gpus_per_node=1 is what a job gets. Give it .*=2"),
        ([SLURM, "trainer=ddp", "trainer.devices=4"], r"Give it hydra\.launcher\.gpus_per_node=4"),
        ([SLURM, "hydra.launcher.tasks_per_node=2"], "each task would do the whole job.*gpus_per_node=N"),
        ([SLURM, "hydra.launcher.nodes=2"], "each task would do the whole job"),
        (
            [*RAY, "hydra.launcher.ray.init.address=auto", "trainer=ddp", "trainer.devices=2"],
            r"num_gpus=0 is what a job gets. Give it hydra\.launcher\.ray\.remote\.num_gpus=2",
        ),
    ],
)
def test_a_clash_is_named_with_its_fix(overrides, message):
    with pytest.raises(UserError, match=message):
        check(*overrides)


@pytest.mark.usefixtures("all_packages")
@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer=ddp"],  # one job after the other
        ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "trainer=ddp"],
        [SLURM],
        [SLURM, "trainer=ddp", "hydra.launcher.gpus_per_node=4"],
        [SLURM, "trainer=ddp", "trainer.devices=4", "hydra.launcher.gpus_per_node=4"],
        [*RAY, "trainer=cpu", "trainer.devices=2"],
        ["hydra/launcher=ray", "hydra.launcher.ray.init.address=auto"],
    ],
)
def test_what_does_not_clash_passes(overrides):
    check(*overrides)


@pytest.mark.usefixtures("all_packages")
def test_ray_is_not_left_waiting_for_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    check("hydra/launcher=ray")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UserError, match=r"hydra\.launcher\.ray\.remote\.num_gpus=0"):
        check("hydra/launcher=ray")


PREEMPTED_ONCE = """
import os, signal

replace = os.replace

def watched(beside, path):
    replace(beside, path)
    told = os.environ["TOLD"]
    if str(path).endswith("last.ckpt") and not os.path.exists(told):
        open(told, "w").close()
        os.kill(os.getpid(), signal.SIGTERM)  # Slurm says this first, which is not to end the training
        os.kill(os.getpid(), signal.SIGUSR2)

os.replace = watched
"""


@pytest.mark.nightly
def test_slurm_gets_a_batch_script_and_a_preempted_job_goes_on(crops, tmp_path):
    """A job that is preempted after its first epoch ends, is queued again, and resumes."""
    need("submitit_slurm")
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    arguments = [*TINY, "data.crops=../", "forgery=FaceSwap", "attack=none", "protocol.epochs=3"]
    run("train", *arguments, cwd=undisturbed)
    slurm = fake_slurm.install(tmp_path / "slurm")
    patches = tmp_path / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(PREEMPTED_ONCE)
    environment = os.environ | {
        "PATH": f"{slurm}:{os.environ['PATH']}", "PYTHONPATH": str(patches), "TOLD": str(tmp_path / "told"),
    }  # fmt: skip
    disturbed = tmp_path / "disturbed"
    disturbed.mkdir()
    sweep = ["-m", *arguments, "attack=none,bicubic", SLURM, "hydra.launcher.partition=gpu"]
    sweep.append("hydra.launcher.gpus_per_node=2")
    ended = subprocess.run(
        [sys.executable, "-m", "sr_deepfake.train", *sweep],
        cwd=disturbed, env=environment, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    logs = "".join(log.read_text() for log in disturbed.glob("outputs/sweeps/train/*/.submitit/*/*_log.out"))
    assert ended.returncode == 0, ended.stdout + ended.stderr + logs
    flags = dict(re.findall(r"#SBATCH --([\w-]+)(?:=(.*))?", (slurm / "script.sh").read_text()))
    expected = {
        "array": "0-1%2", "gpus-per-node": "2", "cpus-per-task": "8", "mem": "48GB", "time": "720", "nodes": "1",
        "ntasks-per-node": "1", "partition": "gpu", "requeue": "", "signal": "USR2@120", "open-mode": "append",
        "job-name": "sr_deepfake-train",
    }  # fmt: skip
    assert flags | expected == flags
    assert len(list(slurm.glob("requeued-*"))) == 1
    assert "Bypassing signal SIGTERM" in logs
    assert logs.count("Training ") == 1
    assert logs.count("Resuming ") == 1
    assert len(results(disturbed)) == 2
    (name,) = results(undisturbed)
    assert results(disturbed)[name]["metrics"] == results(undisturbed)[name]["metrics"]
    (one,), (other,) = (folder.glob("outputs/detectors/*/finished.json") for folder in (undisturbed, disturbed))
    assert one.read_text() == other.read_text()


@pytest.mark.nightly
def test_optuna_gets_the_figure_that_it_optimises(crops):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper", reason="needs the extra `optuna`")
    experiments = crops / "own" / "experiment"
    experiments.mkdir(parents=True)
    params = "{protocol.optimizer.lr: 'choice(0.001, 0.01)'}"
    (experiments / "tune.yaml").write_text(
        "# @package _global_\ndefaults: [override /hydra/sweeper: optuna]\n"
        f"hydra: {{sweeper: {{direction: maximize, n_trials: 2, n_jobs: 1, params: {params}}}}}\n"
    )
    options = ["--config-dir=own", "-m", "experiment=tune", *TINY, "forgery=FaceSwap", "attack=none"]
    shown = run("train", *options, "objective=test/clean/auc", cwd=crops)
    found = [content["metrics"]["figures"]["clean"]["auc"]["value"] for content in results(crops).values()]
    best = float(re.search(r"Best value: ([0-9.]+)", shown)[1])
    assert best == pytest.approx(max(found))
