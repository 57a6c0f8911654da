import csv
import io
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.reporting.table import ReportTable

TABLE = ReportTable(
    name="table_1",
    title="Table 1: all faces, 50% & more",
    columns=["Model", "Forgery Method", "SR", "FNR ↓", "AUC ↑"],
    rows=[
        ["a_b", "FaceSwap", "×", "5.5", "99.2"],
        ["a_b", "FaceSwap", "✓", "6.9***", "–"],
        ["a_b", "Deepfakes", "×", "", "1.0"],
        ["{swin}\\#1", "Deepfakes", "×", "–", "–"],
    ],
    caption="Rates in %, p < 0.05.",
    text_columns=3,
    group_by=2,
    rules=[3],
    remarks=["A remark_1."],
)


def rows_of(latex):
    body = latex[latex.index(r"\toprule") : latex.index(r"\bottomrule")]
    return [line for line in body.splitlines() if line.endswith(r"\\")]


def test_repeated_names_are_shown_once_and_missing_figures_as_a_dash():
    assert TABLE.shown_rows() == [
        ["a_b", "FaceSwap", "×", "5.5", "99.2"],
        ["", "", "✓", "6.9***", "–"],
        ["", "Deepfakes", "×", "", "1.0"],
        ["{swin}\\#1", "Deepfakes", "×", "–", "–"],  # another model: its method is shown again
    ]


def test_csv_has_every_cell():
    read = list(csv.reader(io.StringIO(TABLE.csv())))
    assert read[0] == TABLE.columns
    assert read[1:] == [["" if cell == "–" else cell for cell in row] for row in TABLE.rows]


def test_markdown_has_one_line_a_row_and_numbers_to_the_right():
    lines = TABLE.markdown().splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert table[1] == "|---|---|---|---:|---:|"
    assert len(table) == 2 + len(TABLE.rows)
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 6 for line in table)
    assert r"6.9\*\*\*" in table[3]


def test_markdown_takes_names_as_text():
    hostile = ReportTable("t", "<script>alert(1)</script>", ["A"], [["a|b\n<b>*x*`[y](z)"]])
    text = hostile.markdown()
    assert "<script>" not in text
    assert "<b>" not in text
    row = next(line for line in text.splitlines() if line.startswith("| a"))
    assert row == r"| a\|b &lt;b>\*x\*\`\[y\](z) |"


def test_latex_has_balanced_columns_and_braces_and_escapes():
    text = TABLE.latex()
    assert r"\begin{tabular}{lllrr}" in text
    rows = rows_of(text)
    assert len(rows) == 1 + len(TABLE.rows)
    assert all(len(re.findall(r"(?<!\\)&", row)) == 4 for row in rows)
    assert r"a\_b & FaceSwap & $\times$ & 5.5 & 99.2 \\" in rows
    assert r" &  & $\checkmark$ & 6.9\rlap{\textsuperscript{***}} & -- \\" in rows
    assert r"\{swin\}\textbackslash{}\#1" in text
    assert text.count(r"\midrule") == 2  # below the headings, and above the second model
    assert r"50\% \& more" in text
    assert "Table 1: all" not in text  # LaTeX counts its tables itself
    assert r"p \textless{} 0.05" in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_intervals_and_signs_are_readable_in_latex():
    table = ReportTable("t", "T", ["Here"], [["−5.0 [−6.9, +0.1]"], ["r: +0.01 [−0.02, +0.05]"]])
    assert rows_of(table.latex())[1:] == [r"$-$5.0 [$-$6.9, +0.1] \\", r"r: +0.01 [$-$0.02, +0.05] \\"]
    assert "?" not in table.latex()


@given(st.text(max_size=40))
def test_no_name_breaks_latex_markdown_or_csv(name):
    table = ReportTable("t", name, ["A", "B"], [[name, "1"]], caption=name, remarks=[name])
    rows = rows_of(table.latex())
    assert len(rows) == 2
    assert len(re.findall(r"(?<!\\)&", rows[1])) == 1
    bare = re.sub(r"\\[{}]", "", "".join(line for line in table.latex().splitlines() if not line.startswith("%")))
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert list(csv.reader(io.StringIO(table.csv(), newline="")))[1] == [re.sub(r"[\r\n]+", " ", name), "1"]
    assert "| 1 |" in table.markdown()


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_latex_compiles(tmp_path):
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,amssymb,graphicx}\begin{document}"
    (tmp_path / "table.tex").write_text(f"{head}\n{TABLE.latex()}\\end{{document}}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120).returncode == 0
    assert (tmp_path / "table.pdf").stat().st_size > 1000
