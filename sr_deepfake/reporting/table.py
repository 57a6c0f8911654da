"""A table of a report, and its forms: Markdown, LaTeX (booktabs) and CSV."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from sr_deepfake.reporting.numbers import UNDEFINED

Row = Sequence[str]
_MARKDOWN = str.maketrans({"&": "&amp;", "<": "&lt;", "\n": " ", "\r": " "} | {sign: f"\\{sign}" for sign in "\\|*`[]"})
_LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "{}$&#%_"}
    | {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "—": "---", "×": r"$\times$",
        "✓": r"$\checkmark$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\rightarrow$", "Δ": r"$\Delta$",
        "−": r"$-$", "≤": r"$\leq$", "≥": r"$\geq$", "…": r"\ldots{}", "±": r"$\pm$",
    }
)  # fmt: skip


@dataclass(frozen=True)
class ReportTable:
    """A table as it is shown; all words are plain text."""

    name: str  # of its files
    title: str
    columns: Sequence[str]  # headings, all different
    rows: Sequence[Row]  # a dash is missing, an empty cell is none; stars at the end of a number mark significance
    caption: str = ""  # how to read it
    text_columns: int = 1  # from the left; the others are numbers
    group_by: int = 0  # columns, from the left, that are not repeated where they repeat the row above
    rules: Sequence[int] = ()  # a line is drawn above each of these rows, counted from 0
    remarks: Sequence[str] = ()  # sentences

    def shown_rows(self) -> list[list[str]]:
        """The rows as they are shown: nothing for what repeats the row above."""
        shown = []
        above: Row = []
        for row in self.rows:
            same = 0
            while above and same < self.group_by and row[same] == above[same]:
                same += 1
            shown.append([*[""] * same, *row[same:]])
            above = row
        return shown

    def markdown(self) -> str:
        """The table with title, caption and remarks, as GitHub shows it."""
        words = self.text_columns
        aligned = "|" + "---|" * words + "---:|" * (len(self.columns) - words)
        headings, *rows = [[cell.translate(_MARKDOWN) for cell in row] for row in (self.columns, *self.shown_rows())]
        lines = [f"## {self.title.translate(_MARKDOWN)}", ""]
        if self.caption:
            lines += [self.caption.translate(_MARKDOWN), ""]
        lines += [f"| {' | '.join(headings)} |", aligned, *(f"| {' | '.join(row)} |" for row in rows), ""]
        if self.remarks:
            lines += [*(f"- {remark.translate(_MARKDOWN)}" for remark in self.remarks), ""]
        return "\n".join(lines)

    def latex(self) -> str:
        """The table as a LaTeX `table` for the packages booktabs and amssymb, as wide as the page at most."""
        columns = "l" * self.text_columns + "r" * (len(self.columns) - self.text_columns)
        body: list[str] = []
        for number, row in enumerate(self.shown_rows()):
            if number in self.rules and number > 0:
                body.append(r"\midrule")
            body.append(" & ".join(map(_latex_cell, row)) + r" \\")
        title = re.sub(r"^(.*: )?Table \d+:? ?", r"\1", self.title)  # LaTeX counts its tables itself
        words = " ".join([f"{title}.", self.caption, *self.remarks]).strip()
        lines = [
            "% Needs \\usepackage{booktabs,amssymb,graphicx}.",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(words)}}}",
            rf"\label{{tab:{self.name.replace('_', '-')}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_latex, self.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The cells alone under one line of headings, a line a row; a missing one is empty."""
        rows = [["" if cell == UNDEFINED else re.sub(r"[\r\n]+", " ", cell) for cell in row] for row in self.rows]
        return pd.DataFrame(rows, columns=list(self.columns)).to_csv(index=False, lineterminator="\n")


def _latex(text: str) -> str:
    r"""Words as LaTeX shows them; what its standard fonts have no letter for becomes a question mark.

    >>> print(_latex("50% of a_b & c"), _latex("人"))
    50\% of a\_b \& c ?
    """
    known = "".join(
        sign if ord(sign) < 256 or ord(sign) in _LATEX else "?" for sign in " ".join(text.split()) if sign.isprintable()
    )
    return known.translate(_LATEX)


def _latex_cell(cell: str) -> str:
    """A cell; its stars take no width, so that the digits of a column are aligned."""
    number = cell.rstrip("*")
    stars = len(cell) - len(number)
    return _latex(number) + (rf"\rlap{{\textsuperscript{{{'*' * stars}}}}}" if stars else "")
