"""After a kill -9, a second sweep beside the first, or a repetition: the results of one undisturbed run."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import TINY, Process, run

RUN = [*TINY, "forgery=FaceSwap", "attack=bicubic", "protocol.epochs=3"]


def place(crops: Path, name: str) -> Path:
    folder = crops / name
    folder.mkdir()
    (folder / "crops").symlink_to(crops)
    return folder


def here(arguments: list[str]) -> list[str]:
    return [argument.replace("data.source.crops=.", "data.source.crops=crops") for argument in arguments]


def written(folder: Path) -> dict[str, bytes]:
    """All that has to be the same."""
    files = [
        file
        for pattern in ("results/*/metrics.json", "results/*/predictions.parquet", "detectors/*/finished.json")
        for file in folder.glob(f"outputs/{pattern}")
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(files)}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(name: str, time: int = 1, when: str = "before") -> Callable[[], object]:
    """Kill the process when a file of this name is complete: before or after it takes its place."""

    def patch() -> None:
        replace, count = os.replace, 0

        def watched(beside, path):
            nonlocal count
            count += Path(path).match(name)
            last = Path(path).match(name) and count == time
            if last and when == "before":
                die()
            replace(beside, path)
            if last:
                die()

        os.replace = watched

    return patch


def killed_in_step(step: int) -> Callable[[], object]:
    """Kill the process in a step of the training."""

    def patch() -> None:
        from sr_deepfake.detectors import detector

        training_step, count = detector.Detector.training_step, 0

        def watched(self, batch, index):
            nonlocal count
            count += 1
            if count == step:
                die()
            return training_step(self, batch, index)

        detector.Detector.training_step = watched

    return patch


# One after the other, each in the run that goes on where the last one was killed.
KILLS = [
    killed_at("job.json", when="after"),
    killed_at("recipe.json"),
    killed_in_step(2),
    killed_at("best.ckpt"),
    killed_at("last.ckpt"),  # the best epoch is written, the state after it is not
    killed_at("last.ckpt", when="after"),
    killed_in_step(1),
    killed_at("last.ckpt", 2, when="after"),
    killed_at("provenance.json"),
    killed_at("finished.json"),
    killed_at("finished.json", when="after"),
    killed_at("attacked_faces/*/*/*.png", 4),
    killed_at("predictions.parquet"),
    killed_at("metrics.json"),
    killed_at("metrics.json", when="after"),
    killed_at("job.json", 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kills", [KILLS[7:8], pytest.param(KILLS, marks=pytest.mark.nightly)], ids=["once", "everywhere"]
)
def test_killed_the_results_are_those_of_an_undisturbed_run(crops, kills):
    undisturbed, disturbed = place(crops, "undisturbed"), place(crops, "disturbed")
    run("train", *here(RUN), cwd=undisturbed)
    for kill in kills:
        process = Process("train", *here(RUN), cwd=disturbed, before=kill)
        assert process.wait() == -signal.SIGKILL, process.shown
    assert "1 interrupted" in run("status", cwd=disturbed, status=3)
    shown = run("train", *here(RUN), cwd=disturbed)
    assert ("Already done" if len(kills) > 1 else "Resuming") in shown
    assert written(disturbed) == written(undisturbed)
    assert len(written(disturbed)) == 3
    assert "1 done" in run("status", cwd=disturbed)


@pytest.mark.nightly
def test_an_attacked_evaluation_killed_with_force_is_whole_later(crops):
    folder = place(crops, "one")
    run("train", *here(RUN), cwd=folder)
    before = written(folder)
    kill = killed_at("predictions.parquet", when="after")
    assert Process("train", *here(RUN), "evaluate.force=true", cwd=folder, before=kill).wait() == -signal.SIGKILL
    assert not list(folder.glob("outputs/results/*/metrics.json"))  # nobody takes new predictions for old metrics
    run("train", *here(RUN), cwd=folder)
    assert written(folder) == before


@pytest.mark.nightly
def test_two_sweeps_side_by_side_train_no_detector_twice(crops):
    """The second waits for each run that the first does, and then finds it done."""
    alone, shared = place(crops, "alone"), place(crops, "shared")
    sweep = ["-m", *here(TINY), "forgery=FaceSwap", "seed=0,1", "attack=none,bicubic"]
    run("train", *sweep, cwd=alone)
    pair = [Process("train", *sweep, cwd=shared) for _ in range(2)]
    assert [process.wait() for process in pair] == [0, 0]
    shown = "".join(process.shown for process in pair)
    assert shown.count("Training ") == 2
    assert shown.count("Already done") == 4
    assert shown.count("waiting for it") >= 1
    assert written(shared) == written(alone)
    assert "4 done" in run("status", cwd=shared)


@pytest.mark.nightly
def test_a_changed_configuration_trains_another_detector_and_overwrites_nothing(crops):
    run("train", *RUN, cwd=crops)
    before = written(crops)
    changes = ("protocol.optimizer.lr=1e-3", "attack.scale=3", "seed=1", "trainer.precision=bf16-mixed")
    for change in changes:
        arguments = [argument for argument in RUN if not argument.startswith(change.split("=")[0])]
        run("train", *arguments, change, cwd=crops)
        after = written(crops)
        assert len([name for name in after if name.endswith("metrics.json") and name not in before]) == 1, change
        assert {name: after[name] for name in before} == before
        before = after
    options = ["detector=outputs/detectors/*", "data=ffpp", "data.crops=.", "attack=bicubic", "trainer=cpu"]
    shown = run("evaluate", *options, "trainer.precision=bf16-mixed", "data.workers=0", "logger=none", cwd=crops)
    assert shown.count("Already done") == 4  # scores are float32 whatever the trainer says
    assert written(crops) == before


def test_a_run_is_repeated_from_its_results_or_its_detector(crops):
    run("train", *RUN, "seed=5", cwd=crops)
    before = written(crops)
    (results,) = crops.glob("outputs/results/*")
    provenance = json.loads((results / "provenance.json").read_text())
    assert provenance["program"] == "train"
    assert provenance["command"].startswith("python -m sr_deepfake.train data=ffpp")
    assert provenance["config"]["seed"] == 5
    assert "torch" in provenance["versions"]
    (detector,) = crops.glob("outputs/detectors/[!.]*")
    assert json.loads((detector / "provenance.json").read_text())["data"]["train"]
    repeated = place(crops, "repeated")
    sources = [f"from_run={os.path.relpath(folder, repeated)}" for folder in (results, detector)]
    run("train", sources[0], "data.crops=crops", "train.force=true", cwd=repeated)
    assert written(repeated) == before  # the same seed gives the same bytes
    assert "Already done" in run("train", sources[1], "data.crops=crops", cwd=repeated)
    run("train", *RUN, "seed=6", cwd=crops)
    assert len(set(written(crops).values())) == 6  # and another seed others
