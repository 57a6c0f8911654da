"""A report as files, and on the terminal."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sr_deepfake.reporting.examples import KINDS, Example, example_sheet
from sr_deepfake.reporting.figures.style import file_name
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.system.console import print_parts
from sr_deepfake.system.files import replacing

TABLES, FIGURES, EXAMPLES = "tables", "figures", "examples"
_FORMS: dict[str, Callable[[ReportTable], str]] = {
    "md": ReportTable.markdown,
    "tex": ReportTable.latex,
    "csv": ReportTable.csv,
}
_PRINTED = ("table_1", "table_2", "table_3", "changes")  # and those of a comparison


def write_tables(folder: Path, report: Report) -> list[Path]:
    """Write each table as Markdown, LaTeX and CSV to `tables/`.

    Args:
        folder: of the report.
        report: whose tables they are.

    Returns:
        The files.
    """
    files = []
    for table in report.tables:
        for ending, render in _FORMS.items():
            file = folder / TABLES / f"{table.name}.{ending}"
            with replacing(file) as beside:
                beside.write_text(render(table), encoding="utf-8")
            files.append(file)
    return files


def write_figures(folder: Path, report: Report) -> list[Path]:
    """Write each figure as PNG and SVG to `figures/`; return the files."""
    return [file for figure in report.figures for file in figure.write(folder / FIGURES, report.illustration)]


def write_examples(folder: Path, report: Report) -> list[Path]:
    """Write the examples to `examples/`, a PNG for each model and kind; return the files."""
    files = []
    for name, shown in example_sheets(report):
        file = folder / EXAMPLES / f"{name}.png"
        with replacing(file) as beside:
            example_sheet(shown, report.illustration).save(beside, format="PNG")
        files.append(file)
    return files


def example_sheets(report: Report) -> list[tuple[str, list[Example]]]:
    """The examples of each model and kind, with the name of their sheet."""
    models = dict.fromkeys(example.model for example in report.examples)
    sheets = [
        (
            file_name(f"{kind}_{model}"),
            [example for example in report.examples if (example.model, example.kind) == (model, kind)],
        )
        for model in models
        for kind in KINDS
    ]
    return [(name, shown) for name, shown in sheets if shown]


def print_report(report: Report, file: TextIO | None = None) -> None:
    """Print the main tables, what is missing and the notes: styled on a terminal, as plain text otherwise.

    Args:
        report: what to print.
        file: where to; standard output unless told.
    """
    shown = [table for table in report.tables if table.name in _PRINTED or table.name.endswith("_paper")]
    parts: list[RenderableType] = []
    for table in shown:
        parts += [Text(table.title, style="bold"), Text(), _rich(table), Text()]
    if report.missing is not None:
        parts += [Text(report.missing.sentence), Text(f"  {report.missing.command}"), Text()]
    parts += [Text(words) for words in (*report.notes, report.illustration) if words]
    print_parts(*parts, file=file)


def _rich(table: ReportTable) -> Table:
    shown = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
        header_style="bold",
    )
    for place, name in enumerate(table.columns):
        shown.add_column(Text(name), no_wrap=True, justify="left" if place < table.text_columns else "right")
    for place, row in enumerate(table.shown_rows()):
        shown.add_row(*(Text(result) for result in row), end_section=place + 1 in table.rules)
    return shown
