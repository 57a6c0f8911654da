"""A sweep with jobs that fail."""

import json
import os
import signal

import pytest
from forked import TINY, results, run

from sr_deepfake.system.errors import UserError, last_line

SWEEP = ["-m", *TINY, "forgery=FaceSwap"]


def states(folder):
    """What became of each attack."""
    runs = [json.loads(file.read_text()) for file in (folder / "outputs" / "status").glob("[!.]*.json")]
    return {run_["attack"]: run_ for run_ in runs}


def test_jobs_that_fail_stop_no_other_and_are_listed(crops):
    """One fails of a mistake of the user's (no such weights), one of a bug, one is well."""

    def bug():
        from sr_deepfake.attacks import compression as jpeg

        def broken(*args, **kwargs):
            raise ValueError("not\nmy day")

        jpeg.JpegAttack.forward = broken
        from sr_deepfake.app import sweep

        sweep.check_weights = lambda config: None  # the job is to meet the mistake itself

    arguments = [*SWEEP, "attack=sr,jpeg,none", "sr_model.weights=nowhere.safetensors"]
    shown = run("train", *arguments, cwd=crops, status=1, before=bug)
    listing = shown[shown.index("2 job(s) of the sweep failed") :]
    assert "nowhere.safetensors" in listing
    assert "ValueError: not" in listing
    assert "attack=jpeg" in listing
    assert "attack=none" not in listing
    assert "Traceback" not in shown
    (done,) = results(crops)
    assert json.loads(done.read_text())["run"]["attack"] == "none"
    (sweep,) = (crops / "outputs" / "sweeps" / "train").iterdir()
    assert "Traceback" in (sweep / "1" / "train.log").read_text()
    assert str(sweep / "1" / "train.log") in listing
    assert not (sweep / "2" / "failed.json").exists()
    assert states(crops)["sr-edsr-x2"]["error"].startswith("no weights file at nowhere.safetensors")
    assert {name: run_["state"] for name, run_ in states(crops).items()} == {
        "sr-edsr-x2": "failed", "jpeg": "failed", "none": "done",
    }  # fmt: skip


def test_batches_after_a_failed_job_are_done(crops):
    arguments = [*SWEEP, "hydra.sweeper.max_batch_size=1", "forgery=NeuralTextures,FaceSwap", "attack=none"]
    arguments.remove("forgery=FaceSwap")
    shown = run("train", *arguments, cwd=crops, status=1)
    assert "1 job(s)" in shown
    assert len(results(crops)) == 1


def test_the_same_command_does_only_what_is_missing(crops):
    arguments = [*SWEEP, "attack=none,bicubic"]
    run("train", *arguments, cwd=crops)
    before = {file: file.stat().st_mtime_ns for file in results(crops)}
    seconds = {name: run_["seconds"] for name, run_ in states(crops).items()}
    next(iter(before)).unlink()
    shown = run("train", *arguments, cwd=crops)
    assert shown.count("Already done") == 1
    assert shown.count("Recall") == 2
    after = {file: file.stat().st_mtime_ns for file in results(crops)}
    assert after.keys() == before.keys()
    assert sum(after[file] != before[file] for file in before) == 1
    kept = {name: run_["seconds"] for name, run_ in states(crops).items()}
    assert sum(kept[name] == seconds[name] for name in kept) >= 1
    assert "Already done" not in run("train", *arguments, "evaluate.force=true", cwd=crops)


def test_ctrl_c_ends_the_whole_sweep(crops):
    def press():
        from sr_deepfake.detectors import detector

        detector.Detector.training_step = lambda self, batch, index: os.kill(os.getpid(), signal.SIGINT)

    shown = run("train", *SWEEP, "attack=none,bicubic", cwd=crops, status=130, before=press)
    assert "run again, goes on" in shown
    assert [run_["state"] for run_ in states(crops).values()] == ["running"]  # the second was never begun


def test_a_single_run_that_fails_tells_one_line_and_leaves_its_state(crops):
    shown = run("train", *TINY, "forgery=NeuralTextures", cwd=crops, status=1)
    assert shown.startswith("error: ")
    assert len(shown.splitlines()) == 1
    (run_,) = states(crops).values()
    assert run_["state"] == "failed"
    assert f"error: {run_['error']}\n" == shown


def test_outputs_that_cannot_be_written_end_any_program_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for program, arguments in (("train", []), ("train", ["-m", "seed=1,2"]), ("evaluate", ["detector=x"])):
        shown = run(program, *arguments, "paths.outputs=file/outputs", cwd=tmp_path, status=1)
        assert shown.startswith(
            "error: file/outputs cannot be written to (Not a directory); name another folder"
        )
        assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("sweep", [False, True])
def test_a_full_disk_is_told_with_its_folder_and_the_training_goes_on_later(crops, sweep):
    def full():
        from sr_deepfake.detectors import callbacks

        def no_room(self, checkpoint, path, storage_options=None):
            with open("/dev/full", "w") as file:
                file.write("checkpoint")

        callbacks.WholeFiles.save_checkpoint = no_room

    arguments = [*TINY, "forgery=FaceSwap", "attack=none"]
    arguments = ["-m", *arguments] if sweep else arguments
    shown = run("train", *arguments, cwd=crops, status=1, before=full)
    assert "error: there is no room left for what is written to outputs (No space left on device)" in shown
    assert "paths.outputs=FOLDER" in shown
    assert "Traceback" not in shown
    run("train", *arguments, cwd=crops)


def test_an_error_in_one_line():
    assert last_line(UserError("say this\nand no more")) == "say this"
    assert last_line(KeyError("name")) == "KeyError: 'name'"
    assert last_line(ValueError()) == "ValueError"


def test_missing_weights_end_a_sweep_before_anything_is_trained(crops):
    arguments = ["-m", *TINY, "forgery=FaceSwap", "attack=none,sr", "sr_model.weights=/nowhere.pt"]
    shown = run("train", *arguments, cwd=crops, status=1)
    assert "error: no weights file at /nowhere.pt; name one that exists with sr_model.weights=FILE" in shown
    assert "Training" not in shown


def test_a_layer_that_cannot_be_deterministic_is_named(crops):
    def never_equal():
        import torch

        from sr_deepfake.detectors import Detector

        step = Detector.training_step

        def with_put(self, batch, batch_idx):
            torch.zeros(4).put_(
                torch.tensor([1]), torch.ones(1)
            )  # has no deterministic form, on a CPU either
            return step(self, batch, batch_idx)

        Detector.training_step = with_put

    arguments = [*TINY, "forgery=FaceSwap", "attack=none"]
    shown = run("train", *arguments, "trainer.deterministic=true", cwd=crops, status=1, before=never_equal)
    assert shown.splitlines()[-1].startswith("error: trainer.deterministic=true: on this device torch has no")
    assert "deterministic put_, which" in shown
    assert "Traceback" not in shown
    run("train", *arguments, "trainer.deterministic=warn", cwd=crops, before=never_equal)
