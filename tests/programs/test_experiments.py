"""The experiments that the paper left as future work, as a user types them, on small face crops."""

import json

import pandas as pd
import pytest
from forked import TINY, run

from sr_deepfake.app.grid import grid_of
from sr_deepfake.app.overrides import completed
from sr_deepfake.data.manifest import write_manifest

TINY = [*TINY, "paths.cache=cache", "sr_model.weights=null"]  # the package's weights, as on the sample


@pytest.fixture
def two_methods(make_faces, tmp_path):
    one = make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    other = make_faces({"train": 8, "val": 4, "test": 6}, method="Deepfakes")
    write_manifest(
        pd.concat([one, other[other["label"] == 1]]).to_dict("records"), tmp_path / "faces.parquet"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("name", "runs", "varied"),
    [("resolution", 5, set()), ("sr_models", 6, {"attack.scale"}), ("transfer", 25, {"tested_on"}),
     ("defence", 4, {"defence"})],
)  # fmt: skip
def test_each_experiment_spans_its_grid_on_the_sample(name, runs, varied):
    one_method = ["forgery=FaceSwap"] if name == "sr_models" else []  # 30 runs take long to compose
    grid = grid_of("train", completed("train", [f"experiment={name}", *one_method]))
    assert len({run_.name for run_ in grid.runs}) == len(grid.runs) == runs
    assert set(grid.varied[0]) == varied
    assert {run_.data for run_ in grid.runs} == {"sample"}


def table_of(folder, name):
    return pd.read_csv(folder / "outputs" / f"report-{name}" / "tables" / f"{name}.csv", dtype=str)


def test_detectors_of_each_method_on_the_fakes_of_each(two_methods):
    choice = ["experiment=transfer", "forgery=Deepfakes,FaceSwap", "tested_on=Deepfakes,FaceSwap", *TINY]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert shown.count("Training ") == 2
    results = [
        json.loads(file.read_text()) for file in (two_methods / "outputs" / "results").glob("*/metrics.json")
    ]
    told = {(result["run"]["trained_on"], result["run"]["forgery"]): result for result in results}
    assert sorted(told) == [
        ("Deepfakes", "Deepfakes"), ("Deepfakes", "FaceSwap"), ("FaceSwap", "Deepfakes"), ("FaceSwap", "FaceSwap"),
    ]  # fmt: skip
    shown = run("report", *choice, "examples=0", cwd=two_methods)
    assert "have no results" not in shown
    tables = two_methods / "outputs" / "report-transfer" / "tables"
    (file,) = tables.glob("transfer_*.csv")
    rows = pd.read_csv(file, dtype=str)
    assert len(rows) == 4
    for row in rows.to_dict("records"):
        result = told[row["Trained on"], row["Tested on"]]
        assert row["AUC attacked"] == f"{100 * result['both']['auc']:.1f}"
        assert row["FNR clean"] == f"{100 * result['clean']['fnr']:.1f}"
    assert "Illustration" not in file.with_suffix(".md").read_text()  # not the sample
    # One of the runs is gone: it is told, with the command of all.
    shown = run("report", *choice, "seed=0,1", "examples=0", cwd=two_methods)
    assert "4 of 8 runs have no results (4 missing). They are done by:" in shown
    assert "python -m sr_deepfake.train -m experiment=transfer" in shown


@pytest.mark.slow
def test_a_defended_detector_beside_the_undefended_one(two_methods):
    choice = [
        "experiment=defence", "attack=bicubic", "attack.sr_model.mode=bicubic,lanczos", "defence=none,bicubic",
        "forgery=FaceSwap", *TINY,
    ]  # fmt: skip
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert shown.count("Training ") == 2
    recipes = [
        json.loads(file.read_text()) for file in (two_methods / "outputs" / "detectors").glob("*/recipe.json")
    ]
    defences = sorted((recipe["training"]["defence"] for recipe in recipes), key=bool)
    assert defences[0] is None
    assert (defences[1]["name"], defences[1]["probability"]) == ("bicubic-x2 p=0.5", 0.5)
    kept = two_methods / "outputs" / "attacked_faces" / defences[1]["attack"]
    assert len(list(kept.glob("*/*.png"))) >= 16  # the training faces, each once
    run("report", *choice, "examples=0", cwd=two_methods)
    assert sorted(
        table_of(two_methods, "defence")[["Defence", "Attack", "In training"]].to_numpy().tolist()
    ) == [
        ["bicubic-x2 p=0.5", "bicubic-x2", "yes"],
        ["bicubic-x2 p=0.5", "lanczos-x2", "no"],
        ["none", "bicubic-x2", "–"],
        ["none", "lanczos-x2", "–"],
    ]


@pytest.mark.slow
def test_a_network_without_weights_is_left_out_and_named(two_methods):
    # spandrel is given no file, so that this needs no network.
    choice = ["experiment=sr_models", "forgery=FaceSwap", "sr_model=edsr,spandrel", "attack.scale=2", *TINY]
    choice += ["attack=sr"]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert "Skipped" in shown
    assert "name the file with sr_model.weights=FILE" in shown
    shown = run("report", *choice, "examples=0", cwd=two_methods)
    assert "1 of 2 runs have no results (1 skipped: sr_model=spandrel builds the network" in shown
    states = [
        json.loads(file.read_text())["state"] for file in (two_methods / "outputs" / "status").glob("*.json")
    ]
    assert sorted(states) == ["done", "skipped"]
    (detector,) = (two_methods / "outputs" / "detectors").glob("test_resnet-*")
    options = [option for option in TINY if not option.startswith("protocol")]
    attacked = ["attack=sr", "sr_model=spandrel", "evaluate.skip_missing_weights=true"]
    shown = run("evaluate", *options, f"detector={detector}", *attacked, cwd=two_methods)
    assert "Skipped" in shown
    run(
        "evaluate", *options, f"detector={detector}", *attacked[:-1], cwd=two_methods, status=1
    )  # else an error


def test_reports_of_experiments_that_were_not_run_name_the_command(tmp_path):
    shown = run("report", "experiment=resolution", cwd=tmp_path, status=1)
    assert "no run of experiment=resolution has results yet" in shown
    assert "`python -m sr_deepfake.train -m experiment=resolution` does them" in shown
    shown = run("report", "experiment=tranfser", cwd=tmp_path, status=1)
    assert "tranfser" in shown
    assert "Traceback" not in shown
