"""The experiments that the paper left as future work, as a user types them, on small face crops."""

import json
import subprocess
import sys

import hydra
import pandas as pd
import pytest
from forked import TINY, run
from omegaconf import OmegaConf
from sr_deepfake.grid import grid_of
from sr_deepfake.overrides import CONF, completed

from sr_deepfake.data.manifest import write_manifest

TINY = [*TINY, "paths.cache=cache"]


@pytest.fixture
def two_methods(make_faces, tmp_path):
    one = make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    other = make_faces({"train": 8, "val": 4, "test": 6}, method="Deepfakes")
    write_manifest(
        pd.concat([one, other[other["label"] == 1]]).to_dict("records"), tmp_path / "faces.parquet"
    )
    return tmp_path


def compose(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", completed("train", overrides))


@pytest.mark.parametrize(
    ("name", "cells", "varied"),
    [("resolution", 5, set()), ("sr_models", 9, {"sr_model", "attack.scale"}), ("transfer", 25, {"tested_on"}),
     ("defence", 6, {"defence", "sr_model"})],
)  # fmt: skip
def test_each_experiment_spans_its_grid_on_the_sample(name, cells, varied):
    one_method = ["forgery=FaceSwap"] if name == "sr_models" else []  # 45 cells take long to compose
    grid = grid_of("train", completed("train", [f"experiment={name}", *one_method]))
    assert len({cell.name for cell in grid.runs}) == len(grid.runs) == cells
    assert set(grid.varied[0]) == varied
    assert {cell.data for cell in grid.runs} == {"sample"}


def test_a_summary_is_no_part_of_what_a_cell_is():
    plain = compose("experiment=transfer", "forgery=FaceSwap", "tested_on=FaceSwap")
    assert OmegaConf.select(plain, "summary.name") == "transfer"
    grids = [
        grid_of("train", completed("train", [f"experiment={name}", "forgery=FaceSwap", "attack=sr"]))
        for name in ("resolution", "demo")
    ]
    assert grids[0].cells[0].name == grids[1].cells[0].name


def test_detectors_of_each_method_on_the_fakes_of_each(two_methods):
    choice = ["experiment=transfer", "forgery=Deepfakes,FaceSwap", "tested_on=Deepfakes,FaceSwap", *TINY]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert shown.count("Training ") == 2
    results = [
        json.loads(file.read_text())["run"]
        for file in (two_methods / "outputs" / "results").glob("*/metrics.json")
    ]
    assert sorted((cell["detector"].split("-")[-2], cell["forgery"]) for cell in results) == [
        ("Deepfakes", "Deepfakes"), ("Deepfakes", "FaceSwap"), ("FaceSwap", "Deepfakes"), ("FaceSwap", "FaceSwap"),
    ]  # fmt: skip
    shown = run("summary", *choice, cwd=two_methods)
    folder = two_methods / "outputs" / "experiments" / "transfer-ffpp"
    assert str(folder.relative_to(two_methods) / "figure.svg") in shown
    table = pd.read_csv(folder / "table.csv")
    assert len(table) == 4
    for row in table.to_dict("records"):
        (cell,) = [
            json.loads(file.read_text())
            for file in (two_methods / "outputs" / "results").glob(f"*-{row['trained_on']}-*/metrics.json")
            if json.loads(file.read_text())["run"]["forgery"] == row["tested_on"]
        ]
        assert row["auc_attacked"] == pytest.approx(cell["both"]["auc"])
        assert row["fnr_clean"] == pytest.approx(cell["clean"]["fnr"])
    assert "Illustration" not in (folder / "table.md").read_text()  # not the sample


@pytest.mark.slow
def test_a_defended_detector_beside_the_undefended_one(two_methods):
    choice = [
        "experiment=defence",
        "sr_model=bicubic,lanczos",
        "defence=none,bicubic",
        "forgery=FaceSwap",
        *TINY,
    ]
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
    run("summary", *choice, cwd=two_methods)
    table = pd.read_csv(two_methods / "outputs" / "experiments" / "defence-ffpp" / "table.csv")
    assert table[["defence", "attack", "in_training"]].to_numpy().tolist() == [
        ["none", "bicubic-x2", "–"],
        ["none", "lanczos-x2", "–"],
        ["bicubic-x2 p=0.5", "bicubic-x2", "yes"],
        ["bicubic-x2 p=0.5", "lanczos-x2", "no"],
    ]


@pytest.mark.slow
def test_a_network_without_weights_is_left_out_and_named(two_methods):
    # rcan's published file is never downloaded unasked, so that this needs no network.
    choice = ["experiment=sr_models", "forgery=FaceSwap", "sr_model=rcan,bicubic", "attack.scale=2", *TINY]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert "Skipped" in shown
    assert "no weights of RCAN" in shown
    shown = run("summary", *choice, cwd=two_methods, status=3)
    assert "1 cell(s) are missing" in shown
    assert "# no weights of RCAN" in shown
    assert "python -m sr_deepfake.train" in shown
    table = pd.read_csv(two_methods / "outputs" / "experiments" / "sr_models-ffpp" / "table.csv")
    assert table[["network", "detectors"]].to_numpy().tolist() == [["rcan", 0], ["bicubic", 1]]
    states = [
        json.loads(file.read_text())["state"] for file in (two_methods / "outputs" / "cells").glob("*.json")
    ]
    assert sorted(states) == ["done", "skipped"]
    (detector,) = (two_methods / "outputs" / "detectors").glob("test_resnet-*")
    options = [option for option in TINY if not option.startswith("protocol")]
    attacked = ["attack=sr", "sr_model=rcan", "evaluate.skip_missing_weights=true"]
    shown = run("evaluate", *options, f"detector={detector}", *attacked, cwd=two_methods)
    assert "Skipped" in shown
    run(
        "evaluate", *options, f"detector={detector}", *attacked[:-1], cwd=two_methods, status=1
    )  # else it is an error


def test_summaries_of_nothing_and_of_what_has_none(tmp_path):
    assert "experiment=resolution` makes them" in run(
        "summary", "experiment=resolution", cwd=tmp_path, status=1
    )
    shown = run("summary", "model=swin", cwd=tmp_path, status=1)
    assert "defence, resolution, sr_models, transfer" in shown
    assert "Did you mean 'transfer'?" in run("summary", "experiment=tranfser", cwd=tmp_path, status=2)


def test_help_and_mistakes_import_nothing_heavy(tmp_path):
    code = "import sys, sr_deepfake.summary; print({'torch', 'pandas', 'matplotlib'} & set(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ended.stdout == "set()\n"
    assert "outputs/experiments/NAME-DATA/" in run("summary", "--help", cwd=tmp_path)
