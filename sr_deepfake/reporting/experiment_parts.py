"""What a report shows of the experiments that the paper left open, where their runs exist."""

from collections.abc import Callable, Sequence

from sr_deepfake.errors import UserError
from sr_deepfake.reporting import defence, resolution, sr_models, transfer
from sr_deepfake.reporting.report_cells import UNDEFENDED, ReportCell
from sr_deepfake.reporting.report_figures import ReportFigure, file_name
from sr_deepfake.reporting.report_grid import METHODS, ReportGrid, is_plain
from sr_deepfake.reporting.report_tables import ReportTable
from sr_deepfake.reporting.summary import Result, Summary, as_words, is_name
from sr_deepfake.reporting.table import UNDEFINED

Part = tuple[ReportTable, ReportFigure]


def experiment_parts(cells: Sequence[ReportCell], grid: ReportGrid, illustration: str | None) -> list[Part]:
    """Summarise the results of the grid's data set and protocol that belong to an experiment.

    Args:
        cells: all results.
        grid: of the report.
        illustration: the caption that says that the figures are illustrations.
    """
    known = _newest([cell for cell in cells if (cell.data, cell.protocol) == (grid.data, grid.protocol)])
    found: list[tuple[str, Summary]] = []
    _add(found, "resolution", resolution.summarise, _of_several_sides(grid))
    _add(found, "sr_models", sr_models.summarise, _networks(known))
    _add(found, "defence", defence.summarise, _defended(known))
    for model, attack in dict.fromkeys((cell.model, cell.attack) for cell in known):
        crossed = [
            cell
            for cell in known
            if (cell.model, cell.attack) == (model, attack) and cell.defence == UNDEFENDED
        ]
        crossed.sort(key=lambda cell: (_order(cell.trained_on), _order(cell.tested_on)))
        if any(cell.trained_on != cell.tested_on for cell in crossed):
            _add(found, file_name(f"transfer_{model}_{attack}"), transfer.summarise, crossed)
    return [(_table(name, summary, illustration), _figure(name, summary)) for name, summary in found]


def _order(method: str) -> tuple[int, str]:
    return METHODS.index(method) if method in METHODS else len(METHODS), method


def _add(
    found: list[tuple[str, Summary]],
    name: str,
    summarise: Callable[[Sequence[Result]], Summary],
    cells: Sequence[ReportCell],
) -> None:
    if cells:
        try:
            found.append((name, summarise([cell.as_result() for cell in cells])))
        except UserError:  # nothing of it was attacked: then there is nothing to show
            return


def _newest(cells: Sequence[ReportCell]) -> list[ReportCell]:
    """Of results that differ in nothing but when and of which seed they are, the newest."""
    last = {
        (cell.model, cell.trained_on, cell.tested_on, cell.attack, cell.defence): cell
        for cell in sorted(cells, key=lambda cell: (cell.started, cell.name))
    }
    return sorted(last.values(), key=lambda cell: cell.name)


def _of_several_sides(grid: ReportGrid) -> list[ReportCell]:
    """The attacked results of the grid, if their faces are not all of one side."""
    cells = [cell for _, cell in grid.attacked]
    return cells if len({side for cell in cells for side in cell.predictions["side"].unique()}) > 1 else []


def _networks(cells: Sequence[ReportCell]) -> list[ReportCell]:
    """The attacks by super resolution, if more than one network was used."""
    found = [cell for cell in cells if is_plain(cell) and cell.network and cell.is_attacked]
    return found if len({cell.as_result().network for cell in found}) > 1 else []


def _defended(cells: Sequence[ReportCell]) -> list[ReportCell]:
    """Defended and undefended detectors of the same models and methods, if there are any; undefended ones first."""
    pairs = {(cell.model, cell.trained_on) for cell in cells if cell.defence != UNDEFENDED}
    attacks = {cell.attack for cell in cells if cell.defence != UNDEFENDED and cell.is_attacked}
    found = [
        cell
        for cell in cells
        if (cell.model, cell.trained_on) in pairs
        and cell.trained_on == cell.tested_on
        and cell.attack in attacks
        and cell.is_attacked
    ]
    return sorted(found, key=lambda cell: cell.defence != UNDEFENDED)


def _table(name: str, summary: Summary, illustration: str | None) -> ReportTable:
    words = as_words(summary.table)
    texts = [bool(words[column].map(is_name).any()) for column in words]
    return ReportTable(
        name=name,
        title=summary.title,
        columns=list(words.columns),
        rows=[[None if cell == UNDEFINED else cell for cell in row] for row in words.to_numpy().tolist()],
        caption=(illustration or "").strip(),
        text_columns=texts.index(False) if False in texts else len(texts),
        remarks=list(summary.remarks),
    )


def _figure(name: str, summary: Summary) -> ReportFigure:
    return ReportFigure(name, summary.title, " ".join(summary.remarks), summary.figure)
