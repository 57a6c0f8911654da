"""A report: what `python -m sr_deepfake.report` shows, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sr_deepfake.reporting.examples import Example
from sr_deepfake.reporting.report_cells import ReportCell, Unread
from sr_deepfake.reporting.report_figures import ReportFigure
from sr_deepfake.reporting.report_grid import ReportGrid
from sr_deepfake.reporting.report_tables import ReportTable


@dataclass(frozen=True)
class Report:
    """Everything that a report shows.

    Attributes:
        cells: every cell that was read, those outside the grid too.
        grid: model × forgery method under one attack, as in the paper's tables, with what is missing.
        tables: in the order in which they are shown.
        figures: in the order in which they are shown.
        examples: faces that the attack turned.
        unread: folders of results that are damaged or unfinished.
        notes: what a reader has to know: what was left out, and why; in sentences of plain text.
        illustration: the caption that says that the figures are illustrations; None: they are not.
        versions: of the packages that made the report.
        command: that makes the report again.
        made: when, ISO 8601 in UTC.
    """

    cells: Sequence[ReportCell]
    grid: ReportGrid
    tables: Sequence[ReportTable]
    figures: Sequence[ReportFigure]
    examples: Sequence[Example]
    unread: Sequence[Unread] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
    illustration: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    made: str = ""
