"""A report from results to files: what is in it, what it says about what is not."""

import dataclasses

import pandas as pd
import pytest
from page_reports import reported, write_evidence
from result_folders import CAPTION, write_results

from sr_deepfake.reporting.grid import GridSelection
from sr_deepfake.reporting.writing import write_report
from sr_deepfake.system.errors import UserError


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def with_figures(report, *names):
    """The report with some of its figures, since each takes a while to write."""
    return dataclasses.replace(report, figures=[figure for figure in report.figures if figure.name in names])


def test_every_table_is_written_in_three_forms_and_every_figure_in_two(small, small_page, tmp_path):
    counts = write_report(tmp_path / "out", small)
    found = files(tmp_path / "out")
    names = [table.name for table in small.tables]
    assert names[:4] == ["table_1", "table_2", "table_3", "changes"]
    expected = [f"tables/{name}.{form}" for name in names for form in ("md", "tex", "csv")]
    expected += [f"figures/{figure.name}.{form}" for figure in small.figures for form in ("png", "svg")]
    expected += ["examples/false_alarm_resnet50.png", "examples/missed_resnet50.png"]
    assert found == sorted([*expected, "index.html", "figures.csv", ".report"])
    assert counts == {"tables": 3 * len(names), "figures": 2 * len(small.figures), "examples": 2}
    captioned = [tmp_path / "out" / name for name in found if name.endswith((".md", ".tex", ".svg"))]
    assert all(CAPTION in path.read_text() for path in captioned)
    assert all("<text" in path.read_text() for path in captioned if path.suffix == ".svg")  # text stays text
    assert all((tmp_path / "out" / name).read_bytes() == (small_page.parent / name).read_bytes() for name in found)
    frame = pd.read_csv(tmp_path / "out" / "figures.csv")
    assert {"model", "method", "setup", "metric", "value", "low", "high", "change", "p"} <= set(frame.columns)


def test_a_report_is_replaced_whole(tmp_path):
    """`report compare=paper`, then `report`; `explain=false` after `explain=true`: earlier files were left standing."""
    write_evidence(write_results(tmp_path / "outputs"))
    out = tmp_path / "out"
    compared = reported(tmp_path / "outputs", compare=True, compare_force=True)
    names = [table.name for table in compared.tables]
    assert names[:4] == ["verdicts_paper", "table_1_paper", "table_2_paper", "table_3_paper"]
    write_report(out, with_figures(compared, "changes", "spectrum"))
    (out / "notes.txt").write_text("mine")
    before = files(out)
    write_report(out, with_figures(reported(tmp_path / "outputs", explain=False, examples=0), "changes", "spectrum"))
    gone = set(before) - set(files(out))
    assert {"tables/table_1_paper.csv", "figures/spectrum.png", "examples/missed_resnet50.png"} <= gone
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / ".new").exists()


def test_an_error_leaves_the_earlier_report(tmp_path, monkeypatch):
    write_results(tmp_path / "outputs")
    report = with_figures(reported(tmp_path / "outputs"), "changes")
    write_report(tmp_path / "out", report)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")}
    monkeypatch.setattr("sr_deepfake.reporting.writing.write_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(tmp_path / "out", report)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")} == before


def test_files_of_somebody_else_are_not_replaced(tmp_path):
    write_results(tmp_path / "outputs")
    (tmp_path / "out" / "tables").mkdir(parents=True)
    with pytest.raises(UserError, match="tables exists and was not written by this program; name another folder"):
        write_report(tmp_path / "out", reported(tmp_path / "outputs"))


def test_notes_say_what_is_left_out(tmp_path):
    write_results(tmp_path)
    write_results(tmp_path, forgery="Deepfakes")
    write_results(tmp_path, attack="jpeg-q15")
    older = write_results(tmp_path, weights="older", started="2025-01-01")
    write_results(tmp_path, data="ffpp", protocol="paper")
    broken = write_results(tmp_path, model="swin")
    (broken / "metrics.json").unlink()
    report = reported(tmp_path, requested=GridSelection(data="sample"))
    notes = "\n".join(report.notes)
    assert "left out, 1 in all, are results of data=ffpp protocol=paper" in notes
    assert "other attacks too: jpeg-q15" in notes
    assert older.name in notes
    assert [(unread.folder, unread.reason[:10]) for unread in report.unread] == [(broken, "unfinished")]
