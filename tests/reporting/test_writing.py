"""A report from results to files: what is in it, what it says about what is not."""

import io

import numpy as np
import pytest
from result_folders import CAPTION, write_results
from scored_faces import predictions

from sr_deepfake.reporting.building import illustration_of, make_figures, make_tables, notes_of
from sr_deepfake.reporting.collect import collect
from sr_deepfake.reporting.examples import FALSE_ALARM, MISSED, Example
from sr_deepfake.reporting.grid import Wish, make_grid
from sr_deepfake.reporting.report import Missing, Report
from sr_deepfake.reporting.writing import print_report, write_examples, write_figures, write_tables
from sr_deepfake.system.errors import UserError

FILL = "python -m sr_deepfake.train model=resnet50"


def report_of(outputs, compare=False, force=False, **wish):
    collected = collect([outputs])
    grid = make_grid(collected.results, Wish(**wish))
    illustration = illustration_of(grid, collected.results)
    tables = make_tables(grid, [], illustration, compare, force)
    figures, notes = make_figures(grid, collected.results, [])
    return Report(
        collected.results,
        grid,
        tables,
        figures,
        examples=[],
        notes=[*notes_of(grid, collected), *notes],
        missing=Missing("1 of 5 detectors of the grid are shown; the others are made by:", FILL),
        illustration=illustration,
    )


def test_every_table_is_written_in_three_forms_and_every_figure_in_two(tmp_path):
    write_results(tmp_path)
    report = report_of(tmp_path)
    tables, figures = write_tables(tmp_path / "out", report), write_figures(tmp_path / "out", report)
    names = ["table_1", "table_2", "table_3", "changes", "table_1_intervals", "table_2_intervals"]
    names.append("thresholds")
    assert [table.name for table in report.tables] == names
    assert {file.name for file in tables} == {
        f"{name}.{form}" for name in names for form in ("md", "tex", "csv")
    }
    assert {file.suffix for file in figures} == {".png", ".svg"}
    assert sorted(file for file in (tmp_path / "out").rglob("*") if file.is_file()) == sorted(
        tables + figures
    )
    assert all(CAPTION in file.read_text() for file in tables if file.suffix in (".md", ".tex"))
    assert all(CAPTION in file.read_text() for file in figures if file.suffix == ".svg")


def test_only_data_that_say_so_are_illustrations(tmp_path):
    write_results(tmp_path, data="ffpp")
    report = report_of(tmp_path)
    assert report.illustration is None
    assert not any("Illustration" in table.markdown() for table in report.tables)


def test_without_provenance_the_sample_is_an_illustration_all_the_same(tmp_path):
    (write_results(tmp_path) / "provenance.json").unlink()
    assert report_of(tmp_path).illustration.startswith("Illustration only")


def test_a_comparison_is_refused_before_anything_is_drawn(tmp_path):
    write_results(tmp_path)
    with pytest.raises(UserError, match="compare_force=true"):
        report_of(tmp_path, compare=True)
    names = [table.name for table in report_of(tmp_path, compare=True, force=True).tables]
    assert names[-3:] == ["table_1_paper", "table_2_paper", "table_3_paper"]


def test_notes_tell_what_is_left_out(tmp_path):
    write_results(tmp_path)
    write_results(tmp_path, forgery="Deepfakes")
    write_results(tmp_path, attack="jpeg-q15")
    write_results(tmp_path, digits="older0", started="2025-01-01")
    write_results(tmp_path, data="ffpp", protocol="paper", digits="other0")
    broken = write_results(tmp_path, "swin")
    (broken / "metrics.json").unlink()
    notes = "\n".join(report_of(tmp_path, data="sample").notes)
    assert "1 results of data=ffpp protocol=paper" in notes
    assert "other attacks too: jpeg-q15" in notes
    assert "older0" in notes
    assert f"{broken} cannot be shown: unfinished" in notes
    assert "Training curves are not shown" in notes


def test_what_is_printed_has_the_main_tables_the_commands_and_the_caption(tmp_path):
    write_results(tmp_path)
    shown = io.StringIO()
    print_report(report_of(tmp_path), shown)
    text = shown.getvalue()
    for words in ("Table 1", "Table 2", "Table 3", "Change under", FILL, CAPTION, "1 of 5 detectors"):
        assert words in text
    assert "intervals" not in text.splitlines()[0]
    assert text.count(FILL) == 1
    assert max(map(len, text.splitlines())) < 1000


def test_a_terminal_without_unicode_loses_no_figure(tmp_path):
    write_results(tmp_path, faces=predictions((0.125, 0.5)))
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    print_report(report_of(tmp_path), terminal)
    assert b"12.5" in raw.getvalue()


def test_examples_are_a_picture_for_each_model_and_kind(tmp_path):
    write_results(tmp_path)
    report = report_of(tmp_path)
    face = np.full((24, 24, 3), 9, np.uint8)
    examples = [
        Example("result", model, "FaceSwap", kind, "f", 0.9, 0.1, face, face, face)
        for model in ("swin", "my/net")
        for kind in (MISSED, FALSE_ALARM)
    ]
    files = write_examples(tmp_path / "out", Report(**{**vars(report), "examples": examples}))
    assert [file.name for file in files] == [
        "missed_swin.png", "false_alarm_swin.png", "missed_my_net.png", "false_alarm_my_net.png",
    ]  # fmt: skip
    assert sorted((tmp_path / "out" / "examples").iterdir()) == sorted(files)
    assert write_examples(tmp_path / "none", report) == []
