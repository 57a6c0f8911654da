"""A report's tables as the page shows them: what each cell sorts by, and its marks apart, so that decimals align."""

import re
from dataclasses import dataclass

from sr_deepfake.reporting.numbers import UNDEFINED
from sr_deepfake.reporting.table import ReportTable

_NUMBER = re.compile(r"[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class TableCell:
    """One cell.

    Attributes:
        text: what is shown, without marks; a dash where it is missing.
        value: what it sorts by; None for words, and for what is missing.
        marks: stars of significance.
        is_lacking: whether it is missing.
    """

    text: str
    value: float | None = None
    marks: str = ""
    is_lacking: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table on the page.

    Attributes:
        table: of the report.
        rows: its cells; nothing is left out, since sorting tears apart what stands below each other.
        marked: for each column whether it has marks.
    """

    table: ReportTable
    rows: list[list[TableCell]]
    marked: list[bool]


def page_table(table: ReportTable) -> PageTable:
    """Prepare a table for the page.

    Args:
        table: of the report.
    """
    rows = [
        [_cell(text, column >= table.text_columns) for column, text in enumerate(row)] for row in table.rows
    ]
    marked = [any(row[column].marks for row in rows) for column in range(len(table.columns))]
    return PageTable(table, rows, marked)


def _cell(text: str | None, is_number: bool) -> TableCell:
    if not text or text == UNDEFINED:
        return TableCell(UNDEFINED if text is None else text, is_lacking=True)
    if not is_number:
        return TableCell(text)
    shown = text.rstrip("*")
    return TableCell(shown, number_in(shown), text[len(shown) :])


def number_in(text: str) -> float | None:
    """The first number in a cell's text; None where it has none.

    Example:
        >>> number_in("−5.0 (−11.7 to −1.7)"), number_in("1,024"), number_in("n/a")
        (-5.0, 1024.0, None)
    """
    found = _NUMBER.search(text)
    return float(found[0].replace("−", "-").replace(",", "")) if found else None
