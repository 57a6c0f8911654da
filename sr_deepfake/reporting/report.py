"""A report: what `python -m sr_deepfake.report` shows, before it is written anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.collect import Unread
from sr_deepfake.reporting.examples import Example
from sr_deepfake.reporting.figures.style import ReportFigure
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.table import ReportTable


@dataclass(frozen=True)
class Missing:
    """Runs that a report could show, if they had been done.

    Attributes:
        sentence: how many are missing, and of what.
        command: of the shell, that does them.
    """

    sentence: str
    command: str


@dataclass(frozen=True)
class Report:
    """Everything that a report shows.

    Attributes:
        results: all that were read, those outside the grid too.
        grid: model × forgery method under one attack, as in the paper's tables.
        tables: in the order in which they are shown.
        figures: in the order in which they are shown.
        examples: faces that the attack turned.
        unread: folders of results that are damaged or unfinished.
        notes: what a reader has to know: what was left out, and why; in sentences of plain text.
        missing: the rest of the grid, or of the experiment; None: everything is there.
        illustration: the caption that says that the figures are illustrations; None: they are not.
        versions: of the packages that made the report.
        command: that makes the report again.
        made: when, ISO 8601 in UTC.
    """

    results: Sequence[Result]
    grid: ReportGrid
    tables: Sequence[ReportTable]
    figures: Sequence[ReportFigure]
    examples: Sequence[Example]
    unread: Sequence[Unread] = field(default_factory=tuple)
    notes: Sequence[str] = field(default_factory=tuple)
    missing: Missing | None = None
    illustration: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    made: str = ""
