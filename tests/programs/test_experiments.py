"""The experiments that the paper left as future work, as a user types them, on small face crops."""

import json
import shlex

import pandas as pd
import pytest
from forked import TINY, run, without_figures

from sr_deepfake.experiment.jobs import read_jobs

TINY = [*TINY, "paths.cache=cache", "sr_model.weights=null"]  # the package's weights, as on the sample


def table_of(folder, name):
    return pd.read_csv(
        folder / "outputs" / f"report-{name}" / "tables" / f"{name}.csv", dtype=str, keep_default_na=False
    )


def test_detectors_of_each_method_on_the_fakes_of_each(two_methods):
    choice = ["experiment=transfer", "forgery=Deepfakes,FaceSwap", "tested_on=Deepfakes,FaceSwap", *TINY]
    choice += ["evaluate.explain=false", "evaluate.examples=0"]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert shown.count("Training ") == 2
    results = [json.loads(file.read_text()) for file in (two_methods / "outputs" / "results").glob("*/metrics.json")]
    found = {
        (result["run"]["trained_on"], result["run"]["forgery"]): result["metrics"]["figures"] for result in results
    }
    assert sorted(found) == [
        ("Deepfakes", "Deepfakes"), ("Deepfakes", "FaceSwap"), ("FaceSwap", "Deepfakes"), ("FaceSwap", "FaceSwap"),
    ]  # fmt: skip
    shown = run("report", "experiment=transfer", "examples=0", cwd=two_methods, before=without_figures)
    (command,) = (line for line in shown.splitlines() if "sr_deepfake.status" in line)
    status = run("status", *shlex.split(command)[3:], cwd=two_methods, status=3)
    assert "4 done, 21 missing" in status  # of the experiment's five methods
    tables = two_methods / "outputs" / "report-transfer" / "tables"
    (file,) = tables.glob("transfer_*.csv")
    rows = pd.read_csv(file, dtype=str)
    assert len(rows) == 4
    for row in rows.to_dict("records"):
        figures = found[row["Trained on"], row["Tested on"]]
        assert row["AUC attacked"].startswith(f"{100 * figures['both']['auc']['value']:.1f}")
        assert row["FNR clean"].startswith(f"{100 * figures['clean']['fnr']['value']:.1f}")
    assert "Illustration" not in file.with_suffix(".md").read_text()  # not the sample


@pytest.mark.nightly
def test_a_defended_detector_next_to_the_undefended_one(two_methods):
    choice = [
        "experiment=defence", "attack=bicubic", "attack.sr_model.mode=bicubic,lanczos", "defence=none,bicubic",
        "forgery=FaceSwap", *TINY,
    ]  # fmt: skip
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert shown.count("Training ") == 2
    recipes = [json.loads(file.read_text()) for file in (two_methods / "outputs" / "detectors").glob("*/recipe.json")]
    defences = sorted((recipe["training"]["defence"] for recipe in recipes), key=bool)
    assert defences[0] is None
    assert (defences[1]["name"], defences[1]["probability"]) == ("bicubic-x2 p=0.5", 0.5)
    kept = two_methods / "outputs" / "attacked_faces" / defences[1]["attack"]
    assert len(list(kept.glob("*/*.png"))) >= 16  # the training faces, each once
    run("report", "experiment=defence", "examples=0", cwd=two_methods, before=without_figures)
    assert sorted(table_of(two_methods, "defence")[["Defence", "Attack", "In training"]].to_numpy().tolist()) == [
        ["bicubic-x2 p=0.5", "bicubic-x2", "yes"],
        ["bicubic-x2 p=0.5", "lanczos-x2", "no"],
        ["none", "bicubic-x2", ""],
        ["none", "lanczos-x2", ""],
    ]


@pytest.mark.slow
def test_a_network_without_weights_is_left_out_and_named(two_methods):
    # spandrel is given no file, so that this needs no network.
    choice = ["experiment=sr_models", "forgery=FaceSwap", "sr_model=edsr,spandrel", "attack.scale=2", *TINY]
    choice += ["attack=sr"]
    shown = run("train", "-m", *choice, cwd=two_methods)
    assert "Skipped" in shown
    assert "name it with sr_model.weights=FILE" in shown
    run("report", "experiment=sr_models", "examples=0", cwd=two_methods, before=without_figures)
    assert sorted(job.state for job in read_jobs(two_methods / "outputs") if job.program == "train") == [
        "done",
        "skipped",
    ]
    (detector,) = (two_methods / "outputs" / "detectors").glob("test_resnet-*")
    options = [option for option in TINY if not option.startswith("protocol")]
    attacked = ["attack=sr", "sr_model=spandrel", "evaluate.skip_missing_weights=true"]
    shown = run("evaluate", *options, f"detector={detector}", *attacked, cwd=two_methods)
    assert "Skipped" in shown
    run("evaluate", *options, f"detector={detector}", *attacked[:-1], cwd=two_methods, status=1)  # else an error
