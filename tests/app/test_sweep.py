"""A sweep with jobs that fail."""

import json
import os
import signal

from forked import TINY, results, run

from sr_deepfake.experiment.jobs import read_jobs
from sr_deepfake.system.errors import last_line

SWEEP = ["-m", *TINY, "forgery=FaceSwap"]


def states(folder):
    """What became of each attack."""
    return {job.overrides[-1].removeprefix("attack="): job for job in read_jobs(folder / "outputs")}


def test_jobs_that_fail_stop_no_other_and_are_listed(crops):
    """One fails of a mistake of the user's (no such weights), one of a bug, one is well, in a batch of its own."""

    def bug():
        from sr_deepfake.attacks import compression as jpeg

        def broken(*args, **kwargs):
            raise ValueError("not\nmy day")

        jpeg.JpegAttack.forward = broken
        from sr_deepfake.app import sweep

        sweep.check_weights = lambda config: None  # the job is to meet the mistake itself

    arguments = ["sr_model.weights=nowhere.safetensors", "attack=sr,jpeg,none", "hydra.sweeper.max_batch_size=2"]
    shown = run("train", *SWEEP, *arguments, cwd=crops, status=1, before=bug)
    listing = shown[shown.index("2 job(s) of the sweep failed") :]
    assert "nowhere.safetensors" in listing
    assert "ValueError: not" in listing
    assert "attack=jpeg" in listing
    assert "attack=none" not in listing
    assert "Traceback" not in shown
    (done,) = results(crops)
    assert json.loads(done.read_text())["run"]["attack"]["name"] == "none"
    (sweep,) = (crops / "outputs" / "sweeps" / "train").iterdir()
    assert "Traceback" in (sweep / "1" / "train.log").read_text()
    assert str((sweep / "1").relative_to(crops)) in listing
    assert states(crops)["sr"].error.startswith("sr_model.weights=nowhere.safetensors: there is no such file")
    assert {name: job.state for name, job in states(crops).items()} == {
        "sr": "failed", "jpeg": "failed", "none": "done",
    }  # fmt: skip


def test_the_same_command_does_only_what_is_missing(trained):
    arguments = [*SWEEP, "attack=sr,bicubic"]
    shown = run("train", *arguments, cwd=trained)
    assert shown.count("Already done") == 1
    assert shown.count("Recall") == 2
    before = {file: file.stat().st_mtime_ns for file in results(trained)}
    next(iter(before)).unlink()
    assert run("train", *arguments, cwd=trained).count("Already done") == 1
    after = {file: file.stat().st_mtime_ns for file in results(trained)}
    assert after.keys() == before.keys()
    assert sum(after[file] != before[file] for file in before) == 1
    assert "Already done" not in run("train", *arguments, "evaluate.force=true", cwd=trained)


def test_two_thresholds_are_two_results(trained):
    """They had one folder: the last won, and status showed both done."""
    run("train", *SWEEP, "threshold.fpr=0.01,0.3", cwd=trained)
    found = [json.loads(file.read_text()) for file in results(trained)]
    assert {result["run"]["threshold_fpr"] for result in found} == {None, 0.01, 0.3}
    assert len({result["metrics"]["threshold"]["value"] for result in found if result["run"]["threshold_fpr"]}) == 2
    assert all(job.state == "done" and len(job.results) == 1 for job in read_jobs(trained / "outputs"))


def test_finished_work_is_found_from_another_folder_and_after_a_move(trained, tmp_path):
    """An absolute path, another working directory, moved outputs: it was scored again."""
    words = [f"data.crops={trained}" if word.startswith("data.source.crops") else word for word in SWEEP[1:]]
    (before,) = results(trained)
    moved = trained / "moved"
    for outputs in (trained / "outputs", moved):
        shown = run("train", *words, f"paths.outputs={outputs}", cwd=tmp_path)
        assert "Already done" in shown
        if outputs != moved:
            outputs.rename(moved)
    assert [file.relative_to(moved) for file in moved.glob("results/*/metrics.json")] == [
        before.relative_to(trained / "outputs")
    ]


def test_ctrl_c_ends_the_whole_sweep(crops):
    def press():
        from sr_deepfake.detectors import detector

        detector.Detector.training_step = lambda self, batch, index: os.kill(os.getpid(), signal.SIGINT)

    shown = run("train", *SWEEP, "attack=none,bicubic", cwd=crops, status=130, before=press)
    assert "run again, goes on" in shown
    assert [job.state for job in states(crops).values()] == ["interrupted"]  # the second was never begun


def test_a_single_run_that_fails_prints_one_line_and_leaves_its_state(crops):
    shown = run("train", *TINY, "forgery=NeuralTextures", cwd=crops, status=1)
    assert shown.startswith("error: ")
    assert "sr_deepfake.prepare" in shown
    assert len(shown.splitlines()) == 1
    (job,) = states(crops).values()
    assert job.state == "failed"
    assert f"error: {job.error}\n" == shown


def test_outputs_that_cannot_be_written_end_any_program_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    for program, arguments in (("train", []), ("train", ["-m", "seed=1,2"]), ("evaluate", ["detector=x"])):
        shown = run(program, *arguments, "paths.outputs=file/outputs", cwd=tmp_path, status=1)
        assert shown.startswith("error: file/outputs cannot be written to (Not a directory); name another folder")
        assert len(shown.splitlines()) == 1


def test_a_full_disk_is_named_with_its_folder_and_the_training_goes_on_later(crops):
    def full():
        from sr_deepfake.detectors import callbacks

        def no_room(self, checkpoint, path, storage_options=None):
            with open("/dev/full", "w") as file:
                file.write("checkpoint")

        callbacks.WholeFiles.save_checkpoint = no_room

    arguments = [*TINY, "forgery=FaceSwap", "attack=none"]
    for flags in ([], ["-m"]):
        shown = run("train", *flags, *arguments, cwd=crops, status=1, before=full)
        assert "error: there is no room left for what is written to outputs (No space left on device)" in shown
        assert "paths.outputs=FOLDER" in shown
        assert "Traceback" not in shown
    run("train", *arguments, cwd=crops)


def test_an_error_without_words_is_named_by_its_class():
    assert (last_line(ValueError()), last_line(KeyError("name"))) == ("ValueError", "KeyError: 'name'")


def test_missing_weights_end_a_sweep_before_anything_is_trained(crops):
    arguments = ["-m", *TINY, "forgery=FaceSwap", "attack=none,sr", "sr_model.weights=/nowhere.pt"]
    shown = run("train", *arguments, cwd=crops, status=1)
    assert "error: sr_model.weights=/nowhere.pt: there is no such file" in shown
    assert "Training" not in shown


def test_a_layer_that_cannot_be_deterministic_is_named(crops):
    def never_equal():
        import torch

        from sr_deepfake.detectors import Detector

        step = Detector.training_step

        def with_put(self, batch, batch_idx):
            torch.zeros(4).put_(torch.tensor([1]), torch.ones(1))  # has no deterministic form, on a CPU either
            return step(self, batch, batch_idx)

        Detector.training_step = with_put

    arguments = [*TINY, "forgery=FaceSwap", "attack=none"]
    shown = run("train", *arguments, "trainer.deterministic=true", cwd=crops, status=1, before=never_equal)
    assert shown.splitlines()[-1].startswith("error: trainer.deterministic=true: on this device torch has no")
    assert "deterministic put_, which" in shown
    assert "Traceback" not in shown
    run("train", *arguments, "trainer.deterministic=warn", cwd=crops, before=never_equal)
