import shlex

import pytest
from result_folders import read, write_results

from sr_deepfake.app.grid import grid_of
from sr_deepfake.app.missing import rest_of_experiment, rest_of_grid
from sr_deepfake.app.overrides import completed
from sr_deepfake.experiment.runs import Run
from sr_deepfake.reporting.grid import METHODS, Wish, make_grid


def rest(outputs):
    results = read(outputs)
    return rest_of_grid(make_grid(results, Wish()), results)


def overrides_of(command):
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "sr_deepfake.train", "-m"]
    return words[4:]


def test_one_command_does_the_rest_of_the_grid(tmp_path):
    write_results(tmp_path, overrides=["experiment=demo", "seed=3", "train.force=true"])
    missing = rest(tmp_path)
    assert missing.sentence == "1 of the 5 detectors of the grid are shown; the others are made by:"
    overrides = overrides_of(missing.command)
    assert overrides == [
        "experiment=demo",
        "seed=3",
        "model=resnet50",
        f"forgery={','.join(METHODS)}",
        "attack=sr",
    ]
    runs = grid_of("train", completed("train", overrides)).runs
    assert {(run.model, run.forgery) for run in runs} == {("resnet50", method) for method in METHODS}


def test_for_faceforensics_the_papers_models_count_too(tmp_path):
    earlier = [
        "model=swin",
        "forgery=FaceSwap",
        "attack=sr",
        "attack.scale=2",
        "data=ffpp",
        "data.root=/my videos",
    ]
    write_results(tmp_path, "swin", overrides=earlier, data="ffpp", protocol="paper")
    missing = rest(tmp_path)
    assert missing.sentence.startswith("1 of the 15 detectors")
    assert overrides_of(missing.command) == [
        "data=ffpp", "data.root=/my videos", "model=resnet50,swin,xception", f"forgery={','.join(METHODS)}",
        "attack=sr", "attack.scale=2",
    ]  # fmt: skip


def test_a_backbone_without_a_file_in_conf_keeps_its_options(tmp_path):
    write_results(tmp_path, "resnet18", overrides=["model=timm", "model.backbone=resnet18", "data=sample"])
    assert "model=timm model.backbone=resnet18" in rest(tmp_path).command


def test_a_complete_grid_and_other_data_lack_nothing(tmp_path):
    for method in METHODS:
        write_results(tmp_path / "whole", forgery=method)
    write_results(tmp_path / "folder", forgery="fake", data="folder")
    assert rest(tmp_path / "whole") is rest(tmp_path / "folder") is None


def test_without_provenance_no_command_is_made_up(tmp_path):
    (write_results(tmp_path) / "provenance.json").unlink()
    assert rest(tmp_path) is None


def run(state, error=""):
    return Run("train", [], {}, "swin", "FaceSwap", "none", "sample", state=state, error=error)


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([("done", "")], None),
        ([("done", ""), ("missing", "")], "1 of 2 runs have no results (1 missing). They are done by:"),
        (
            [("failed", "no faces"), ("failed", "no faces"), ("skipped", "no weights")],
            "3 of 3 runs have no results (2 failed, 1 skipped: no faces; no weights). They are done by:",
        ),
    ],
)
def test_what_an_experiment_lacks_is_counted_with_its_reasons(states, sentence):
    missing = rest_of_experiment([run(*state) for state in states], "make")
    assert (missing and missing.sentence) == sentence
