import sys

import pytest

from sr_deepfake import status
from sr_deepfake.app.overrides import expanded
from sr_deepfake.app.status import how_long
from sr_deepfake.experiment.jobs import Job

GRID = ["model=resnet50,swin", "forgery=FaceSwap,Deepfakes", "attack=none"]
JOBS = [tuple(words) for words in expanded([], GRID)]


@pytest.fixture
def shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def show(*arguments):
        monkeypatch.setattr(sys, "argv", ["status", *arguments])
        with pytest.raises(SystemExit) as end:
            status.main()
        out = capsys.readouterr()
        return end.value.code, out.out + out.err

    return show


def states(tmp_path, *what):
    """Write a state for each job of the grid."""
    for number, (overrides, state) in enumerate(zip(JOBS, what, strict=True)):
        if state == "missing":
            continue
        result = tmp_path / "outputs" / "results" / str(number)
        result.mkdir(parents=True)
        (result / "metrics.json").write_text("{}")
        error = "no faces: name them with data.root=" if state == "failed" else ""
        job = Job(program="train", overrides=overrides, state=state, seconds=65, since=number, error=error,
                  results=(f"results/{number}",) if state == "done" else ())  # fmt: skip
        folder = tmp_path / "outputs" / "sweeps" / "train" / "today" / str(number)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(job.model_dump_json())


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (["done"] * 4, 0),
        (["done", "done", "missing", "done"], 3),
        (["done", "running", "done", "done"], 3),  # its process is gone
        (["failed", "missing", "done", "done"], 1),
        (["skipped", "done", "done", "done"], 0),
    ],
)
def test_the_exit_status_says_how_far_it_is(tmp_path, shown, what, code):
    states(tmp_path, *what)
    assert shown(*GRID)[0] == code


def test_each_job_is_a_line_in_a_pipe(tmp_path, shown):
    states(tmp_path, "done", "running", "failed", "missing")
    lines = shown(*GRID)[1].splitlines()
    assert [line.split()[:4] for line in lines[:5]] == [
        ["Job", "State", "For"],
        ["model=resnet50", "forgery=FaceSwap", "done", "1"],
        ["model=resnet50", "forgery=Deepfakes", "interrupted"],
        ["model=swin", "forgery=FaceSwap", "failed", "1"],
        ["model=swin", "forgery=Deepfakes", "missing"],
    ]
    assert "1 min 5 s  outputs/results/0" in lines[1]
    assert lines[3].endswith("no faces: name them with data.root=")
    assert "4 runs in outputs: 1 done, 1 failed, 1 interrupted, 1 missing." in lines
    at = lines.index("  python -m sr_deepfake.train -m model=resnet50,swin forgery=FaceSwap,Deepfakes attack=none")
    assert lines[at + 2] == "  python -m sr_deepfake.train model=resnet50 forgery=Deepfakes attack=none"
    assert len(lines[at + 2 :]) == 3


def test_without_arguments_all_jobs_that_were_started_are_listed(tmp_path, shown):
    code, text = shown()
    assert code == 3
    assert "no runs in outputs yet" in text
    states(tmp_path, "done", "missing", "failed", "done")
    code, text = shown()
    assert code == 1
    assert "3 runs in outputs: 2 done, 1 failed." in text
    assert text.endswith("One by one:\n  python -m sr_deepfake.train model=swin forgery=FaceSwap attack=none\n")
    assert shown(f"paths.outputs={tmp_path / 'other'}")[0] == 3


def test_many_missing_jobs_are_done_by_one_command(shown):
    code, text = shown("experiment=paper", "data.root=/my videos")
    assert code == 3
    assert "30 runs in outputs: 30 missing." in text
    assert "python -m sr_deepfake.train -m experiment=paper 'data.root=/my videos'" in text
    assert text.count("sr_deepfake.train ") == 2


def test_mistakes_end_with_status_2(shown):
    code, text = shown("modl=swin")
    assert (code, text.startswith("error: Could not override 'modl'.")) == (2, True)
    assert shown("seed=[")[0] == 2


def test_times_are_short():
    job = Job(program="train", overrides=(), state="done")
    times = (0, 59.4, 60, 3599, 3600, 90_000)
    assert [how_long(job.model_copy(update={"seconds": s}), 0.0) for s in times] == [
        "0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 0 min",
    ]  # fmt: skip
    assert how_long(job.model_copy(update={"state": "running", "since": 10.0}), 105.0) == "1 min 35 s"
    assert how_long(job.model_copy(update={"state": "missing"}), 0.0) == ""
