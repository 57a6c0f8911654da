"""From the results to a report: which tables and figures it has, and what has to be said about it."""

from collections.abc import Sequence

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.collect import Collected
from sr_deepfake.reporting.comparison import comparison_tables
from sr_deepfake.reporting.examples import Example
from sr_deepfake.reporting.experiments.parts import Part
from sr_deepfake.reporting.explanations import Explanations
from sr_deepfake.reporting.figures.attention import attention_figure
from sr_deepfake.reporting.figures.changes import change_figure
from sr_deepfake.reporting.figures.reliability import reliability_figures
from sr_deepfake.reporting.figures.roc import roc_figures
from sr_deepfake.reporting.figures.scores import score_figure, similarity_figure
from sr_deepfake.reporting.figures.spectrum import band_figure, spectrum_figure
from sr_deepfake.reporting.figures.strength import strength_figure
from sr_deepfake.reporting.figures.style import ReportFigure
from sr_deepfake.reporting.figures.training import training_figure
from sr_deepfake.reporting.grid import ReportGrid, is_plain
from sr_deepfake.reporting.table import ReportTable
from sr_deepfake.reporting.tables import change_table, interval_table, rates_table, similarity_table
from sr_deepfake.reporting.thresholds import threshold_table


def illustration_of(grid: ReportGrid, results: Sequence[Result]) -> str | None:
    """The caption that says that the grid's figures are illustrations, as the data set words it; None: they are not."""
    return next(
        (result.illustration for result in results if result.data == grid.data and result.illustration), None
    )


def make_tables(
    grid: ReportGrid, parts: Sequence[Part], illustration: str | None, compare: bool, force: bool
) -> list[ReportTable]:
    """Every table of a report, in the order in which they are shown.

    Args:
        grid: model × forgery method.
        parts: of the experiments.
        illustration: the caption that says that the figures are illustrations.
        compare: put the published figures beside.
        force: do so although the data are not the paper's.

    Raises:
        UserError: `compare` with other data than the paper's, not forced.
    """
    compared = comparison_tables(grid, force, illustration) if compare else []
    tables = [
        rates_table(grid, 1, illustration),
        rates_table(grid, 2, illustration),
        similarity_table(grid, illustration),
        change_table(grid, illustration),
        interval_table(grid, 1, illustration),
        interval_table(grid, 2, illustration),
        threshold_table(grid, illustration),
    ]
    return [*(table for table in tables if table is not None), *compared, *(table for table, _ in parts)]


def make_figures(
    grid: ReportGrid,
    results: Sequence[Result],
    parts: Sequence[Part],
    examples: Sequence[Example] = (),
    explanations: Explanations | None = None,
) -> tuple[list[ReportFigure], list[str]]:
    """Every figure of a report, in the order in which they are shown; and notes about those that cannot be.

    Args:
        grid: model × forgery method.
        results: all results.
        parts: of the experiments.
        examples: faces that the attack turned.
        explanations: of why it did; None: there are none.
    """
    explained = explanations or Explanations()
    training, without = training_figure(grid)
    figures = [
        change_figure(grid),
        attention_figure(examples),
        band_figure(explained, grid),
        spectrum_figure(explained, grid),
        *roc_figures(grid),
        *reliability_figures(grid),
        score_figure(grid),
        similarity_figure(grid),
        strength_figure(results, grid),
        *(figure for _, figure in parts),
        training,
    ]
    notes = []
    if without:
        more = f" and {len(without) - 1} other detectors" if len(without) > 1 else ""
        notes.append(
            f"Training curves are not shown of {without[0]}{more}: no csv/metrics.csv of the run is to be found."
        )
    return [figure for figure in figures if figure is not None], notes


def notes_of(grid: ReportGrid, collected: Collected) -> list[str]:
    """Notes on results that are not in the grid's tables."""
    notes = []
    outside = [
        result
        for result in collected.results
        if is_plain(result) and not result.fits(grid.data, grid.protocol)
    ]
    if outside:
        kinds = sorted({f"data={result.data} protocol={result.protocol}" for result in outside})
        notes.append(
            f"The tables and figures are of data={grid.data} protocol={grid.protocol}; {len(outside)} results of "
            f"{', '.join(kinds)} are left out (grid.data= and grid.protocol= choose others)."
        )
    others = sorted(
        {
            result.attack
            for result in collected.results
            if is_plain(result)
            and result.fits(grid.data, grid.protocol)
            and result.is_attacked
            and result.attack != grid.attack
        }
    )
    if others:
        notes.append(
            f"There are results of other attacks too: {', '.join(others)} (grid.attack= chooses one)."
        )
    if grid.left_out:
        names = ", ".join(result.name for result in grid.left_out)
        notes.append(f"Newer results of the same model, method and attack take the place of {names}.")
    notes += [f"{unread.folder} cannot be shown: {unread.reason}" for unread in collected.unread]
    return notes
