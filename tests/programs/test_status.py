import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from sr_deepfake import status
from sr_deepfake.app.grid import grid_of
from sr_deepfake.app.overrides import completed
from sr_deepfake.app.status import how_long
from sr_deepfake.experiment.runs import RunStore

GRID = ["model=resnet50,swin", "forgery=FaceSwap,Deepfakes", "attack=none"]
LONG = completed("train", GRID)


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
    """Write a state for each run_ of the grid."""
    store = RunStore(tmp_path / "outputs")
    for run_, state in zip(grid_of("train", LONG).runs, what, strict=True):
        if state != "missing":
            result = f"results/{run_.name}"
            (tmp_path / "outputs" / result).mkdir(parents=True)
            (tmp_path / "outputs" / result / "metrics.json").write_text("{}")
            content = replace(
                run_,
                state=state,
                seconds=65.0,
                error="no faces: name them with data.root=" * (state == "failed"),
            )
            store.root.mkdir(exist_ok=True, parents=True)
            (store.root / f"{run_.name}.json").write_text(
                json.dumps(asdict(replace(content, result=result if state == "done" else "")))
            )


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
def test_the_exit_status_tells(tmp_path, shown, what, code):
    states(tmp_path, *what)
    assert shown(*GRID)[0] == code


def test_each_cell_is_a_line_in_a_pipe(tmp_path, shown):
    states(tmp_path, "done", "running", "failed", "missing")
    lines = shown(*GRID)[1].splitlines()
    assert [line.split()[:5] for line in lines[:5]] == [
        ["Model", "Forgery", "Attack", "State", "For"],
        ["resnet50", "FaceSwap", "none", "done", "1"],
        ["resnet50", "Deepfakes", "none", "interrupted"],
        ["swin", "FaceSwap", "none", "failed", "1"],
        ["swin", "Deepfakes", "none", "missing"],
    ]
    assert "1 min 5 s  outputs/results/resnet50-FaceSwap-none" in lines[1]
    assert lines[3].endswith("no faces: name them with data.root=")
    assert "4 runs in outputs: 1 done, 1 failed, 1 interrupted, 1 missing." in lines
    at = lines.index(
        "  python -m sr_deepfake.train -m model=resnet50,swin forgery=FaceSwap,Deepfakes attack=none"
    )
    assert (
        lines[at + 2] == "  python -m sr_deepfake.train model=resnet50 forgery_method=Deepfakes attack=none"
    )
    assert len(lines[at + 2 :]) == 3


def test_without_arguments_all_cells_that_were_begun_are_listed(tmp_path, shown):
    code, text = shown()
    assert code == 3
    assert "no runs in outputs yet" in text
    states(tmp_path, "done", "missing", "failed", "done")
    code, text = shown()
    assert code == 1
    assert "3 runs in outputs: 2 done, 1 failed." in text
    assert text.endswith(
        "One by one:\n  python -m sr_deepfake.train model=swin forgery_method=FaceSwap attack=none\n"
    )
    code, text = shown(f"paths.outputs={tmp_path / 'other'}")
    assert code == 3


def test_many_missing_cells_are_filled_by_one_command(shown):
    code, text = shown("experiment=paper", "data.root=/my videos")
    assert code == 3
    assert "30 runs in outputs: 30 missing." in text
    assert "python -m sr_deepfake.train -m experiment=paper 'data.root=/my videos'" in text
    assert text.count("sr_deepfake.train ") == 2


def test_mistakes_are_told_with_status_2(shown):
    assert shown("modl=swin") == (2, "error: there is no option 'modl'. Did you mean 'model'?\n")
    assert shown("model=timm")[0] == 3  # and no model.backbone: a run that fails, as in a sweep
    assert shown("seed=[")[0] == 2


def test_it_answers_without_torch_and_writes_nothing(tmp_path):
    code = (
        "import runpy, sys\n"
        "try:\n    runpy.run_module('sr_deepfake.status', run_name='__main__', alter_sys=True)\n"
        "finally:\n"
        "    print('heavy', sorted({'torch', 'pandas', 'lightning', 'cv2', 'numpy'} & set(sys.modules)))\n"
    )
    for arguments in (["seed=0,1"], ["--help"]):
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.stdout.endswith("heavy []\n"), ended.stderr
    assert "Exit status" in ended.stdout
    assert not any(tmp_path.iterdir())


def test_times_are_short():
    run_ = replace(grid_of("train", ["attack=none"]).runs[0], state="done")
    assert [how_long(replace(run_, seconds=s), 0.0) for s in (0, 59.4, 60, 3599, 3600, 90_000)] == [
        "0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 0 min",
    ]  # fmt: skip
    assert how_long(replace(run_, state="missing"), 0.0) == ""
