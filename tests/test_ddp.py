"""Two processes that train one detector together (on the CPU, through gloo): the detector of a single process.

With a backbone of layer normalisation, since torch synchronises batch normalisation on CUDA devices alone.
"""

import json
import os
import signal

import pandas as pd
import pytest
from forked import TINY, Process, run

VIT = [*(option for option in TINY if not option.startswith("model.name")), "model.name=test_vit"]
RUN = [*VIT, "forgery=FaceSwap", "attack=bicubic", "data.crops=../crops", "protocol.epochs=3"]


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


def numbers(content, path=""):
    """All numbers of nested values, with where they stand."""
    if isinstance(content, dict):
        return {
            key: value for name in content for key, value in numbers(content[name], f"{path}/{name}").items()
        }
    return {path: content} if isinstance(content, int | float) else {}


def assert_the_same(one, two):
    for pattern in ("detectors/*/finished.json", "results/*/metrics.json"):
        expected, found = (numbers(json.loads(written(folder, pattern).read_text())) for folder in (one, two))
        assert found.keys() == expected.keys()
        assert len(found) >= 4
        # Correlations with changes of score of a thousandth, which leave few digits of a float32, are less exact.
        for key, value in expected.items():
            tolerance = 1e-4 if key.startswith("/correlation") else 1e-6
            assert found[key] == pytest.approx(value, abs=tolerance, nan_ok=True), key
    tables = [pd.read_parquet(written(folder, "results/*/predictions.parquet")) for folder in (one, two)]
    pd.testing.assert_frame_equal(*tables, rtol=0, atol=1e-6)
    assert (
        written(one, "detectors/*/best.ckpt").parent.name == written(two, "detectors/*/best.ckpt").parent.name
    )


def test_the_metrics_are_those_of_one_process(folders):
    one, two = folders
    arguments = [argument for argument in RUN if argument != "logger=none"]
    run("train", *arguments, cwd=one)
    shown = run("train", *arguments, "trainer.devices=2", cwd=two)
    assert "on 2 × cpu, 32-true" in shown
    assert shown.count("Training ") == shown.count("(table 1)") == 1
    assert len(list(two.glob("outputs/runs/train/*"))) == 1
    assert_the_same(one, two)
    losses = [
        pd.read_csv(written(folder, "runs/train/*/csv/metrics.csv")).filter(["train/loss_epoch", "val/loss"])
        for folder in (one, two)
    ]
    pd.testing.assert_frame_equal(*losses, rtol=0, atol=1e-6)
    assert len(losses[0].dropna(how="all")) >= 3


@pytest.mark.slow
def test_a_sweep_trains_one_detector_after_the_other_and_a_kill_is_made_good(folders):
    one, two = folders
    run("train", *RUN, "seed=1", cwd=one)

    def die_in_the_second_epoch():
        from sr_deepfake.detectors import detector

        training_step = detector.Detector.training_step

        def watched(self, batch, index):
            if self.current_epoch == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return training_step(self, batch, index)

        detector.Detector.training_step = watched

    sweep = ["-m", *RUN, "trainer.devices=2", "seed=1"]
    assert Process("train", *sweep, cwd=two, before=die_in_the_second_epoch).wait() == -signal.SIGKILL
    assert "Resuming" in run("train", *sweep, cwd=two)
    assert_the_same(one, two)


def test_what_cannot_be_divided_is_told_before_the_work(folders):
    shown = run("train", *RUN, "trainer.devices=3", cwd=folders[0], status=1)
    assert shown == (
        "error: trainer.devices=3 does not divide a batch of 8 faces (protocol.batch_size, or all training faces where "
        "they are fewer); 1, 2, 4, 8 do\n"
    )
    shown = run("train", *RUN, "trainer=ddp", cwd=folders[0], status=1)
    assert "trainer=cpu" in shown


def test_batch_normalisation_on_a_cpu_is_an_error(folders):
    shown = run("train", *RUN, "model.name=test_resnet", "trainer.devices=2", cwd=folders[0], status=1)
    assert "batch normalisation" in shown
    assert "Traceback" not in shown
