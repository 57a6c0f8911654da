"""The program: from the command line to the page."""

import json

import pandas as pd
import pytest
from forked import run, without_figures
from result_folders import CAPTION, write_results
from scored_faces import predictions
from wandb_file import read_run

FORMS = ("md", "tex", "csv")


@pytest.fixture
def folder(tmp_path):
    write_results(tmp_path / "outputs", faces=predictions(sides=(96, 192)))
    write_results(tmp_path / "outputs", forgery="Deepfakes")
    return tmp_path


def test_a_report_is_tables_figures_and_a_page(folder):
    shown = run("report", cwd=folder)
    out = folder / "outputs" / "report"
    assert {file.name for file in out.iterdir()} == {"tables", "figures", "index.html", "figures.csv", ".report"}
    assert {file.name for file in (out / "tables").glob("table_1.*")} == {f"table_1.{form}" for form in FORMS}
    table = pd.read_csv(out / "tables" / "table_1.csv", dtype=str)
    attacked = table[(table["SR"] == "✓") & (table["Forgery Method"] == "FaceSwap")]
    assert attacked["FNR ↓"].str.rstrip("*").tolist() == ["50.0"]
    assert (out / "figures" / "roc_resnet50.svg").is_file()
    assert CAPTION in (out / "index.html").read_text()
    assert CAPTION in shown
    assert "Page: outputs/report/index.html" in shown
    # The rest of the grid is one sentence and one command.
    assert "2 of the 5 detectors of the grid are shown; the others are made by:" in shown
    assert "python -m sr_deepfake.train -m data=sample model=resnet50 forgery=Deepfakes,Face2Face,FaceSwap," in shown


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
    assert logged.history["grid"][0]["nrows"] > 100
    (results,) = (folder / "outputs" / "results").glob("resnet50-FaceSwap-*/metrics.json")
    change = json.loads(results.read_text())["metrics"]["figures"]["both"]["fnr"]["change"]
    assert logged.summary["grid/resnet50/FaceSwap/both/fnr"] == pytest.approx(change)
    assert "index.html" in logged.artifacts["report"]
    assert logged.name == "report"


def test_a_folder_that_no_report_wrote_is_not_replaced(folder):
    (folder / "mine").mkdir()
    (folder / "mine" / "index.html").write_text("my own")
    shown = run("report", "out=mine", cwd=folder, status=1)
    assert shown.startswith("error: out=mine: index.html exists and was not written by this program; name another")
    assert (folder / "mine" / "index.html").read_text() == "my own"


def test_a_report_of_other_folders_goes_where_out_says(folder):
    write_results(folder / "more", model="swin")
    run("report", "folders=[outputs,more/results]", "out=elsewhere", cwd=folder, before=without_figures)
    text = (folder / "elsewhere" / "tables" / "table_1.csv").read_text()
    assert "Resnet50" in text
    assert "Swin" in text
    assert not (folder / "outputs" / "report").exists()


def test_a_comparison_with_the_paper_is_refused_for_the_sample_unless_forced_and_leaves_nothing_later(folder):
    out = folder / "outputs" / "report"
    shown = run("report", "compare=paper", cwd=folder, status=1)
    assert "compare=paper: these results are of data=sample" in shown
    assert "compare_force=true" in shown
    assert not out.exists()
    shown = run("report", "compare=paper", "compare_force=true", cwd=folder, before=without_figures)
    assert "NOT COMPARABLE" in shown
    assert (out / "tables" / "table_1_paper.csv").is_file()
    run("report", cwd=folder, before=without_figures)
    assert not list(out.rglob("*paper*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare=papre"], "compare='papre' is not a choice. Choices: none, paper"),
        (["grid.attack=sr-edsr-x3"], "no results are of it; there are sr-edsr-x2"),
        (["folders=[nowhere]"], "there is no such folder"),
        (["folders=[empty]"], "there are no results in empty"),
        (["experiment=resolution"], "python -m sr_deepfake.train -m experiment=resolution"),
        (["examples=-1"], "examples must be an integer ≥ 0, not -1"),
        (["logger=csv"], "logger=wandb, or logger=none"),
    ],
)
def test_mistakes_are_reported_in_one_line(arguments, words, folder):
    (folder / "empty").mkdir()
    shown = run("report", *arguments, cwd=folder, status=1)
    assert words in shown
    assert "Traceback" not in shown
    assert not (folder / "outputs" / "report").exists()


def test_damaged_results_and_hostile_names_do_not_stop_it(folder):
    broken = write_results(folder / "outputs", model="swin")
    (broken / "predictions.parquet").write_bytes(b"PAR1")
    write_results(folder / "outputs", model="<script>alert(1)<script>", detector="x")
    shown = run("report", cwd=folder, before=without_figures)
    assert f"{broken.name} cannot be shown" in shown
    assert "<script>alert(1)" not in (folder / "outputs" / "report" / "index.html").read_text()
    assert not list((folder / "outputs" / "report" / "figures").glob("*<*"))


def test_scores_of_one_class_from_a_csv(folder):
    """`report` ended in "cannot convert float NaN to integer"."""
    rows = [f"v{number},real,0.{number},0.{9 - number}" for number in range(1, 9)]
    (folder / "mine.csv").write_text("\n".join(["video,label,score,score_attacked", *rows]))
    shown = run("report", "scores=mine.csv", "grid.data=scores", cwd=folder, before=without_figures)
    assert "Table 1" in shown
    table = pd.read_csv(folder / "outputs" / "report" / "tables" / "table_1.csv", dtype=str)
    assert table["FPR ↓"].str.rstrip("*").tolist() == ["37.5", "37.5"]
    assert table["FNR ↓"].isna().all()


def test_a_trained_and_attacked_detector_is_reported(trained):
    """The whole way on small crops."""
    shown = run("report", "compare=paper", "grid.methods=[FaceSwap]", cwd=trained, before=without_figures)
    out = trained / "outputs" / "report"
    assert (out / "figures" / "spectrum.png").is_file()
    # It does not call results comparable whose number of faces is not the paper's.
    assert "NOT COMPARABLE in number: the paper trains on 14,400 faces and tests on 2,800; these are 16 / 12." in shown
    assert "sr-edsr-x2" in (out / "tables" / "table_1_paper.md").read_text()
