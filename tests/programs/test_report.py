"""The program: from the command line to the page."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from forked import TINY, run
from result_folders import CAPTION, write_results
from scored_faces import predictions
from wandb_file import read_run

FORMS = ("md", "tex", "csv")


@pytest.fixture
def folder(tmp_path):
    write_results(tmp_path / "outputs", "resnet50", "FaceSwap", faces=predictions(sides=(96, 192)))
    write_results(tmp_path / "outputs", "resnet50", "Deepfakes")
    return tmp_path


def test_a_report_is_tables_figures_and_a_page(folder):
    shown = run("report", cwd=folder)
    out = folder / "outputs" / "report"
    assert {file.name for file in out.iterdir()} == {"tables", "figures", "index.html"}
    assert {file.name for file in (out / "tables").glob("table_1.*")} == {f"table_1.{form}" for form in FORMS}
    table = pd.read_csv(out / "tables" / "table_1.csv", dtype=str)
    attacked = table[(table["SR"] == "✓") & (table["Forgery Method"] == "FaceSwap")]
    assert attacked["FNR ↓"].str.rstrip("*").tolist() == ["50.0"]
    assert (out / "figures" / "roc_resnet50.svg").is_file()
    assert CAPTION in (out / "index.html").read_text()
    assert CAPTION in shown
    assert "Page:     outputs/report/index.html" in shown
    # The rest of the grid is one sentence and one command; why there are no pictures of the examples is told.
    assert "2 of the 5 detectors of the grid are shown; the others are made by:" in shown
    assert (
        "python -m sr_deepfake.train -m data=sample model=resnet50 forgery=Deepfakes,Face2Face,FaceSwap,"
        in shown
    )
    assert "examples are left out" in shown


def test_a_run_of_wandb_holds_the_tables_the_figures_and_the_grid(folder):
    run("report", "logger=wandb", "examples=0", cwd=folder)
    (file,) = folder.glob("outputs/runs/report/*/wandb/offline-run-*/*.wandb")
    logged = read_run(file)
    out = folder / "outputs" / "report"
    for kind, ending in (("tables", "csv"), ("figures", "png")):
        names = {f"{kind}/{path.stem}" for path in (out / kind).glob(f"*.{ending}")}
        assert names == {name for name in logged.history if name.startswith(f"{kind}/")}
    (table,) = logged.history["tables/table_1"]
    (stored,) = folder.glob(f"outputs/**/{table['path']}")
    written = pd.read_csv(out / "tables" / "table_1.csv", dtype=str, keep_default_na=False)
    assert json.loads(stored.read_text())["columns"] == list(written.columns)
    assert logged.history["grid"][0]["nrows"] == 2
    (results,) = (folder / "outputs" / "results").glob("resnet50-FaceSwap-*/metrics.json")
    change = json.loads(results.read_text())["changes"]["both"]["fnr"]
    assert logged.summary["grid/resnet50/FaceSwap/both/fnr"] == pytest.approx(change)
    assert "index.html" in logged.artifacts["report"]
    assert logged.name == "report"


def test_a_report_goes_to_no_other_logger(folder):
    assert "logger=wandb, or logger=none" in run("report", "logger=csv", "examples=0", cwd=folder, status=1)


def test_a_report_of_other_folders_goes_where_it_is_told(folder):
    write_results(folder / "more", "swin", "FaceSwap")
    run("report", "folders=[outputs,more/results]", "out=elsewhere", cwd=folder)
    text = (folder / "elsewhere" / "tables" / "table_1.csv").read_text()
    assert "Resnet50" in text
    assert "Swin" in text
    assert not (folder / "outputs" / "report").exists()


def test_a_comparison_with_the_paper_is_refused_for_the_sample_unless_forced(folder):
    shown = run("report", "compare=paper", cwd=folder, status=1)
    assert "compare=paper: these results are of data=sample" in shown
    assert "compare_force=true" in shown
    assert not (folder / "outputs" / "report").exists()
    shown = run("report", "compare=paper", "compare_force=true", "examples=0", cwd=folder)
    assert "NOT COMPARABLE: Table 1 beside the paper's" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare=papre"], "Did you mean 'paper'?"),
        (["grid.attack=sr-edsr-x3"], "Did you mean 'sr-edsr-x2'?"),
        (["folders=[nowhere]"], "there is no such folder"),
        (["folders=[empty]"], "there are no results in empty"),
        (["examples=-1"], "examples=-1"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, words, folder):
    (folder / "empty").mkdir()
    shown = run("report", *arguments, cwd=folder, status=1)
    assert words in shown
    assert "Traceback" not in shown


def test_a_mistyped_option_names_the_nearest(folder):
    assert "Did you mean 'compare'?" in run("report", "compar=paper", cwd=folder, status=2)


def test_the_data_sets_default_of_a_machine_is_none_of_the_reports(folder):
    def set_default():
        os.environ["SR_DEEPFAKE_DATA"] = "ffpp"

    assert "compare: none" in run("report", "--cfg", "job", cwd=folder, before=set_default)


def test_damaged_results_and_hostile_names_do_not_stop_it(folder):
    broken = write_results(folder / "outputs", "swin", "FaceSwap")
    (broken / "predictions.parquet").write_bytes(b"PAR1")
    write_results(folder / "outputs", "<script>alert(1)<script>", "FaceSwap", trained_on="FaceSwap")
    shown = run("report", cwd=folder)
    assert f"{broken.name} cannot be shown" in shown
    assert "<script>alert(1)" not in (folder / "outputs" / "report" / "index.html").read_text()
    assert not list((folder / "outputs" / "report" / "figures").glob("*<*"))


def test_a_trained_and_attacked_detector_is_reported(make_faces, tmp_path):
    """The whole way on small crops: curves, sides and examples come from the run's own files."""
    make_faces({"train": 12, "val": 6, "test": 8})
    run("train", *TINY, "forgery=FaceSwap", "attack=bicubic", cwd=tmp_path)
    shown = run("report", "compare=paper", "grid.methods=[FaceSwap]", cwd=tmp_path)
    out = tmp_path / "outputs" / "report"
    assert (out / "figures" / "training.png").is_file()
    assert "Training curves are not shown" not in shown
    assert "examples are left out" not in shown
    (told,) = (tmp_path / "outputs" / "results").glob("*/provenance.json")
    where = json.loads(told.read_text())["data"]  # by which a report finds the faces of its examples
    assert (Path(where["folder"]) / "faces.parquet").is_file()
    assert Path(where["outputs"]) == tmp_path / "outputs"
    assert "The paper's attack is sr-edsr-x2" in (out / "tables" / "table_1_paper.md").read_text()
