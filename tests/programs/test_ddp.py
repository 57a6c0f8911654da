"""Two processes that train one detector together by Lightning's DDP (on the CPU, through gloo); one tests it.

With a backbone of layer normalisation, since torch synchronises batch normalisation on CUDA devices alone.
"""

import json
import os
import signal
import time

import pandas as pd
import pytest
import torch
from forked import TINY, Process, run

VIT = [*(option for option in TINY if not option.startswith(("model.backbone", "trainer="))), "model.backbone=test_vit"]
TOGETHER = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
RUN = [*VIT, *TOGETHER, "forgery=FaceSwap", "attack=bicubic", "data.crops=../crops", "protocol.epochs=3"]

pytestmark = pytest.mark.nightly


@pytest.fixture
def folders(make_faces, tmp_path):
    """Two to run in, beside the crops; the validation faces are not divided evenly."""
    make_faces({"train": 12, "val": 5, "test": 8}, method="FaceSwap", sides=(48, 48, 72))
    (tmp_path / "crops").symlink_to(tmp_path)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return tmp_path / "one", tmp_path / "two"


def written(folder, pattern):
    (file,) = folder.glob(f"outputs/{pattern}")
    return file


def test_two_processes_train_and_one_tests(folders):
    one, _ = folders
    arguments = [argument for argument in RUN if argument != "logger=none"]
    shown = run("train", *arguments, cwd=one)
    assert "on 2 × cpu, 32-true" in shown
    assert shown.count("Training ") == shown.count("both attacked") == 1
    assert len(list(one.glob("outputs/runs/train/*"))) == 1
    table = pd.read_parquet(written(one, "results/*/predictions.parquet"))
    assert len(table) == table["face_id"].nunique() == 16
    assert table["score_attacked"].notna().all()
    log = pd.read_csv(written(one, "runs/train/*/csv/metrics.csv"))
    assert log["val/loss"].notna().sum() == log["train/loss_epoch"].notna().sum() == 3
    assert log["test/both/fnr"].notna().sum() == 1
    assert log["val/fnr"].dropna().mul(5).round(6).isin(range(6)).all()  # over the five fakes of both processes


def test_a_sweep_trains_one_detector_after_the_other_and_a_kill_is_made_good(folders):
    one, two = folders
    sweep = ["-m", *RUN, "protocol.epochs=10", "protocol.patience=10", "seed=1"]
    run("train", *sweep, cwd=one)
    process = Process("train", *sweep, cwd=two)
    deadline = time.monotonic() + 120
    while not list(two.glob("outputs/detectors/*/last.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.process.pid, signal.SIGKILL)  # those that train end with it
    assert process.wait() == -signal.SIGKILL
    assert not list(two.glob("outputs/detectors/*/finished.json"))
    assert "Resuming" in run("train", *sweep, cwd=two)
    kept = [torch.load(written(folder, "detectors/*/best.ckpt"), weights_only=True) for folder in (one, two)]
    assert kept[0]["epoch"] == kept[1]["epoch"]
    for name, tensor in kept[0]["state_dict"].items():
        torch.testing.assert_close(kept[1]["state_dict"][name], tensor, rtol=0, atol=1e-6)
    finished = [json.loads(written(folder, "detectors/*/finished.json").read_text()) for folder in (one, two)]
    assert finished[0]["best_epoch"] == finished[1]["best_epoch"]
