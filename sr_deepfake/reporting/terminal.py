"""A run and a report on the terminal."""

from typing import TextIO

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sr_deepfake.experiment.results import RunInfo
from sr_deepfake.metrics.clusters import FEW
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.reporting.numbers import HEADINGS, TABLE, p_value, show, show_change
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.system.console import print_parts

_ROWS = {"clean": "clean", "both": "both attacked", "fake": "fakes attacked"}
_PRINTED = ("table_1", "table_2", "table_3", "changes", "network", "worst_case", "suite")  # and those of a comparison


def print_summary(run: RunInfo, metrics: Metrics, file: TextIO | None = None) -> None:
    """Print a run's figures: one table, what changed, how similar the faces are."""
    counts = metrics.counts
    uneven = counts.pristine != counts.fake and counts.pristine and counts.fake
    shown = [*TABLE, *(["balanced_accuracy"] if uneven else [])]
    rows = [
        [name, *(show(metrics.value(setup, metric)) for metric in shown)]
        for setup, name in _ROWS.items()
        if setup in metrics.figures
    ]
    table = _rich(ReportTable("", "", ["", *(HEADINGS[metric] for metric in shown)], rows))
    title = f"{run.model} on {run.forgery}, attack {run.attack.name} ({counts.faces:,} test faces of {run.data})"
    lines = _changes(metrics) if metrics.is_attacked else []
    lines.append(
        f"{counts.faces:,} faces of {counts.videos:,} videos in {counts.clusters:,} clusters: {counts.pristine:,} pristine, "
        f"{counts.fake:,} fake. Rates in %."
    )
    if run.attack.fakes_only:
        lines.append("This attack leaves pristine faces as they are: both attacked is the same as fakes attacked.")
    if few := [count for count in (counts.clusters_pristine, counts.clusters_fake) if 0 < count < FEW]:
        lines.append(
            f"Warning: only {min(few)} cluster{'s' * (min(few) != 1)}; below {FEW}, intervals and tests are not to be relied on."
        )
    if not counts.pristine or not counts.fake:
        lines.append("The test faces are of one class: what needs both is undefined.")
    parts: list[RenderableType] = [Text(title, style="bold"), Text(), table, Text(), *map(Text, lines)]
    parts += [Text(run.illustration, style="italic")] if run.illustration else []
    print_parts(*parts, file=file)


def _changes(metrics: Metrics) -> list[str]:
    words, changes, similar = [], [], []
    for metric in ("fnr", "fpr"):
        figure = metrics.figure("both", metric)
        if figure.change is not None:
            p = p_value(figure.p)
            changes.append(f"{metric.upper()} {show_change(figure)}, p {p if p[0] == '<' else '= ' + p}")
    if changes:
        words.append(f"Change in points: {'; '.join(changes)} (95 % intervals and randomisation test, by cluster).")
    for metric, unit in (("ssim", ""), ("psnr", "dB")):
        values = [metrics.value(f"similarity/{name}", metric) for name in ("pristine", "fake")]
        if any(value is not None for value in values):
            similar.append(f"{metric.upper()} {show(values[0], unit)} pristine, {show(values[1], unit)} fake")
    if similar:
        words.append(f"Similarity, clean to attacked: {'; '.join(similar)} (dB).")
    return words


def print_report(report: Report, file: TextIO | None = None, short: bool = False) -> None:
    """Print the main tables, the answer, what is missing and the notes; short: the first table and the answer alone."""
    parts: list[RenderableType] = []
    for table in report.tables:
        if table.name in (_PRINTED[:1] if short else _PRINTED) or table.name.endswith("_paper"):
            parts += [Text(table.title, style="bold"), Text(), _rich(table), Text()]
            parts += [Text(label) for label in table.remarks if label.startswith(("NOT COMPARABLE", "Forced"))]
    parts += [Text(report.answer, style="bold"), Text()]
    if short:
        print_parts(*parts, Text(report.grid.illustration), file=file)
        return
    if report.missing is not None:
        parts += [Text(report.missing.sentence), Text(f"  {report.missing.command}"), Text()]
    notes = [*report.notes, *(f"{unread.folder} cannot be shown: {unread.reason}" for unread in report.unread)]
    parts += [Text(words) for words in (*notes, report.grid.illustration) if words]
    print_parts(*parts, file=file)


def print_table(table: ReportTable) -> None:
    """Print a table with its title, caption and remarks."""
    words = [table.caption, *table.remarks]
    print_parts(Text(), Text(table.title, style="bold"), Text(), _rich(table), Text(), *map(Text, words))


def _rich(table: ReportTable) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold")
    for number, name in enumerate(table.columns):
        shown.add_column(Text(name), no_wrap=True, justify="left" if number < table.text_columns else "right")
    for number, row in enumerate(table.shown_rows()):
        shown.add_row(*map(Text, row), end_section=number + 1 in table.rules)
    return shown
