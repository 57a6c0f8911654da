"""A report: what `python -m sr_deepfake.report` shows, made of the files of results alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sr_deepfake.experiment.evidence import Evidence, read_evidence
from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.cards import Card, card_tables, cards_of
from sr_deepfake.reporting.collect import Collected, Unread
from sr_deepfake.reporting.comparison import comparison_tables
from sr_deepfake.reporting.control import Contribution, contributions
from sr_deepfake.reporting.examples import Example, examples_of
from sr_deepfake.reporting.experiments import experiment_parts
from sr_deepfake.reporting.figures.curves import curve_figures
from sr_deepfake.reporting.figures.rates import change_figure, strength_figure
from sr_deepfake.reporting.figures.scores import score_figures
from sr_deepfake.reporting.figures.spectrum import BAND_NAMES, band_figure, spectrum_figure
from sr_deepfake.reporting.figures.style import ReportFigure, add_caption
from sr_deepfake.reporting.grid import Entry, GridSelection, ReportGrid, make_grid
from sr_deepfake.reporting.numbers import show
from sr_deepfake.reporting.published import model_name
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.reporting.tables import (
    caption,
    change_table,
    control_table,
    interval_table,
    operating_table,
    rates_table,
    similarity_table,
)
from sr_deepfake.reporting.words import answer, conclusions
from sr_deepfake.system.errors import UserError

_OF_FACES = ("roc", "reliability", "scores", "ssim")  # figures that are drawn from the scores of one detector
_LEAST = 0.1  # of a change of the logit whose bands are compared


@dataclass(frozen=True)
class Missing:
    """Runs that a report could show, if they had been done: how many of what, and the shell's command that does them."""

    sentence: str
    command: str


@dataclass(frozen=True)
class Report:
    """Everything that a report shows."""

    results: Sequence[Result]  # all that were read, those outside the grid too
    grid: ReportGrid
    contributions: Sequence[Contribution]
    tables: Sequence[ReportTable]  # in the order in which they are shown
    figures: Sequence[ReportFigure]  # likewise
    examples: Sequence[Example]
    cards: Sequence[Card] = ()
    unread: Sequence[Unread] = ()
    notes: Sequence[str] = ()  # sentences of plain text: what was left out, and why
    missing: Missing | None = None  # the rest of the grid; None: everything is there
    command: str = ""  # makes the report again
    made: str = ""  # when, ISO 8601 in UTC
    versions: dict[str, str] = field(default_factory=dict)  # of the packages that made it

    @property
    def answer(self) -> str:
        """The answer in words."""
        return answer(self.grid, self.contributions)

    @property
    def conclusions(self) -> list[str]:
        """What else the grid shows."""
        return conclusions(self.grid)


def make_report(
    collected: Collected,
    requested: GridSelection,
    compare: bool = False,
    compare_force: bool = False,
    examples: int = 2,
    explain: bool = True,
    left_out: Mapping[str, Sequence[str]] | None = None,
) -> Report:
    """Arrange results, and make tables, figures and examples of them."""
    results = collected.results
    grid = make_grid(results, requested)
    compared = comparison_tables(grid, results, compare_force) if compare else []
    added = contributions(grid, results)
    cards = cards_of(results, grid, left_out)
    parts = experiment_parts(results, grid)
    found, shown, notes = _evidence(grid, examples, explain)
    tables = [
        *compared,
        rates_table(grid, 1),
        rates_table(grid, 2),
        similarity_table(grid),
        change_table(grid),
        *card_tables(cards, grid),
        control_table(grid, added),
        interval_table(grid, 1),
        interval_table(grid, 2),
        operating_table(grid),
        *(table for table, _ in parts),
        _band_table(grid, found),
    ]
    figures = [
        change_figure(grid),
        band_figure(found, grid),
        spectrum_figure(found, grid),
        *curve_figures(grid),
        *score_figures(grid),
        strength_figure(results, grid),
        *(figure for _, figure in parts),
    ]
    return Report(
        results=results,
        grid=grid,
        contributions=added,
        tables=[table for table in tables if table is not None],
        figures=[_captioned(figure, grid) for figure in figures if figure is not None],
        examples=shown,
        cards=cards,
        unread=collected.unread,
        notes=[*_notes(grid, results, bool(cards)), *notes],
    )


def _evidence(
    grid: ReportGrid, count: int, explain: bool
) -> tuple[list[tuple[Entry, Evidence]], list[Example], list[str]]:
    found: list[tuple[Entry, Evidence]] = []
    shown: list[Example] = []
    notes: list[str] = []
    for entry in grid.attacked:
        try:
            evidence = read_evidence(entry.result.folder)
            examples = examples_of(entry, evidence, count)
        except UserError as error:
            notes.append(f"{entry.name}: {error}")
            continue
        if explain:
            found.append((entry, evidence))
            notes += [f"{entry.name}: {note}" for note in evidence.notes]
        else:
            for example in examples:
                example.pictures.pop("heat", None)
                example.pictures.pop("heat_attacked", None)
        shown += examples
    return found, shown, list(dict.fromkeys(notes))


def _band_table(grid: ReportGrid, found: Sequence[tuple[Entry, Evidence]]) -> ReportTable | None:
    """Which share of the change of a detector's logit each band of frequencies brings alone; None where no test looked."""
    rows = []
    for entry, evidence in found:
        for name, (whole, *bands) in evidence.bands.items():
            shares = [show(band / whole if abs(whole) >= _LEAST else None) for band in bands]
            rows.append([model_name(entry.model), entry.method, name, show(whole, "r"), *shares])
    if not rows:
        return None
    return ReportTable(
        name="bands",
        title="Which frequencies of the attack move the detectors",
        columns=["Model", "Method", "Faces", "Change of logit", *(f"{band} (%)" for band in BAND_NAMES)],
        rows=rows,
        caption=caption(grid, "Bands in cycles per pixel."),
        text_columns=3,
        group_by=2,
        remarks=[
            "A share is what a band of the attack does alone, of what the whole attack does, in the mean over faces; none is "
            f"given for changes below {_LEAST}. A detector is not linear: shares need not add up to 100."
        ],
    )


def _notes(grid: ReportGrid, results: Sequence[Result], has_cards: bool) -> list[str]:
    """Notes on results that are not in the grid's tables."""
    notes = []
    plain = [result for result in results if result.run.is_plain]
    outside = [result for result in plain if not result.run.fits(grid.data, grid.protocol)]
    if outside:
        kinds = sorted({f"data={result.run.data} protocol={result.run.protocol}" for result in outside})
        notes.append(
            f"The tables and figures are of data={grid.data} protocol={grid.protocol}; left out, {len(outside)} in all, "
            f"are results of {', '.join(kinds)} (grid.data= and grid.protocol= choose others)."
        )
    inside = [result for result in plain if result.run.fits(grid.data, grid.protocol) and result.is_attacked]
    others = sorted({result.run.attack.name for result in inside} - {grid.attack})
    if others and not has_cards:
        notes.append(f"There are results of other attacks too: {', '.join(others)} (grid.attack= chooses one).")
    if grid.left_out:
        names = ", ".join(result.name for result in grid.left_out)
        notes.append(f"Newer results of the same model, method and attack replace {names}.")
    return notes


def _captioned(figure: ReportFigure, grid: ReportGrid) -> ReportFigure:
    """Say on an illustration that it is one, and of figures of faces which seed is drawn, where there are several."""
    if grid.illustration:
        add_caption(figure.figure, grid.illustration)
    if not any(entry.result.seeds for entry in grid.shown) or not figure.name.startswith(_OF_FACES):
        return figure
    return replace(figure, caption=f"{figure.caption} Drawn is the newest seed; numbers are means over seeds.")
