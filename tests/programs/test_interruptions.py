"""After a kill -9, a second sweep beside the first, or a repetition: the results of one undisturbed run."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from forked import TINY, Process, run

TINY = [*TINY, "data.crops=.."]
RUN = [*TINY, "forgery=FaceSwap", "attack=bicubic", "protocol.epochs=3"]


def place(crops: Path, name: str) -> Path:
    folder = crops / name
    folder.mkdir()
    return folder


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
    run("train", *RUN, cwd=undisturbed)
    for kill in kills:
        process = Process("train", *RUN, cwd=disturbed, before=kill)
        assert process.wait() == -signal.SIGKILL, process.shown
    assert "1 interrupted" in run("status", cwd=disturbed, status=3)
    shown = run("train", *RUN, cwd=disturbed)
    assert ("Already done" if len(kills) > 1 else "Resuming") in shown
    assert written(disturbed) == written(undisturbed)
    assert len(written(disturbed)) == 3
    assert "1 done" in run("status", cwd=disturbed)


@pytest.mark.nightly
def test_an_attacked_evaluation_killed_with_force_is_whole_later(crops):
    folder = place(crops, "one")
    run("train", *RUN, cwd=folder)
    before = written(folder)
    kill = killed_at("predictions.parquet", when="after")
    assert Process("train", *RUN, "evaluate.force=true", cwd=folder, before=kill).wait() == -signal.SIGKILL
    assert not list(folder.glob("outputs/results/*/metrics.json"))  # nobody takes new predictions for old metrics
    run("train", *RUN, cwd=folder)
    assert written(folder) == before


@pytest.mark.nightly
def test_two_sweeps_side_by_side_train_no_detector_twice(crops):
    """The second waits for each run that the first does, and then finds it done."""
    alone, shared = place(crops, "alone"), place(crops, "shared")
    sweep = ["-m", *TINY, "forgery=FaceSwap", "seed=0,1", "attack=none,bicubic"]
    run("train", *sweep, cwd=alone)
    pair = [Process("train", *sweep, cwd=shared) for _ in range(2)]
    assert [process.wait() for process in pair] == [0, 0]
    shown = "".join(process.shown for process in pair)
    assert shown.count("Training ") == 2
    assert shown.count("Already done") == 4
    assert shown.count("waiting for it") >= 1
    assert written(shared) == written(alone)
    assert "4 done" in run("status", cwd=shared)


def test_a_run_is_repeated_from_its_results_or_its_detector(crops):
    first, repeated = place(crops, "first"), place(crops, "repeated")
    run("train", *RUN, "seed=5", cwd=first)
    before = written(first)
    (results,) = first.glob("outputs/results/*")
    provenance = json.loads((results / "provenance.json").read_text())
    assert provenance["program"] == "train"
    assert provenance["command"].startswith("python -m sr_deepfake.train data=ffpp")
    assert provenance["config"]["seed"] == 5
    assert "torch" in provenance["versions"]
    (detector,) = first.glob("outputs/detectors/[!.]*")
    assert json.loads((detector / "provenance.json").read_text())["data"]["train"]
    run("train", f"from_run={results}", "train.force=true", cwd=repeated)
    assert written(repeated) == before  # the same seed gives the same bytes
    assert "Already done" in run("train", f"from_run={detector}", cwd=repeated)
    run("train", *RUN, "seed=6", cwd=first)
    assert len(set(written(first).values())) == 6  # and another seed others
