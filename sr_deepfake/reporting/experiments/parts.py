"""Tables and figures of the experiments that the paper left open, where their runs exist."""

from collections.abc import Callable, Sequence

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.reporting.experiments import defence, resolution, sr_models, transfer
from sr_deepfake.reporting.experiments.summary import Summary
from sr_deepfake.reporting.figures.style import ReportFigure, file_name
from sr_deepfake.reporting.grid import METHODS, ReportGrid, is_plain
from sr_deepfake.reporting.table import ReportTable

Part = tuple[ReportTable, ReportFigure]


def experiment_parts(results: Sequence[Result], grid: ReportGrid, illustration: str | None) -> list[Part]:
    """Summarise the results of the grid's data set and protocol that belong to an experiment.

    Args:
        results: all of them.
        grid: of the report.
        illustration: the caption that says that the figures are illustrations.
    """
    known = _newest([result for result in results if result.fits(grid.data, grid.protocol)])
    attacked = [result for result in known if result.is_attacked]
    experiments: list[tuple[str, Callable[[Sequence[Result]], Summary], list[Result]]] = [
        ("resolution", resolution.summarise, _of_several_sides(grid)),
        ("sr_models", sr_models.summarise, _networks(attacked)),
        ("defence", defence.summarise, _defended(attacked)),
    ]
    for model, attack in dict.fromkeys((result.model, result.attack) for result in known):
        crossed = [
            result
            for result in known
            if (result.model, result.attack, result.defence) == (model, attack, UNDEFENDED)
            and not result.is_external
            and not result.crosses_data
        ]
        crossed.sort(key=lambda result: (_order(result.trained_on), _order(result.tested_on)))
        if any(result.trained_on != result.tested_on for result in crossed):
            experiments.append((file_name(f"transfer_{model}_{attack}"), transfer.summarise, crossed))
    parts = []
    for name, summarise, found in experiments:
        if found:
            summary = summarise(found)
            parts.append((summary.as_table(name, illustration), summary.as_figure(name)))
    return parts


def _order(method: str) -> tuple[int, str]:
    return METHODS.index(method) if method in METHODS else len(METHODS), method


def _newest(results: Sequence[Result]) -> list[Result]:
    """Keep the newest of results that differ only in date and seed."""
    last = {
        (result.model, result.trained_on, result.tested_on, result.attack, result.defence): result
        for result in sorted(results, key=lambda result: (result.started, result.name))
    }
    return sorted(last.values(), key=lambda result: result.name)


def _of_several_sides(grid: ReportGrid) -> list[Result]:
    """The attacked results of the grid, if their faces are not all of one side."""
    results = [result for _, result in grid.attacked]
    return (
        results
        if len({side for result in results for side in result.predictions["side"].unique()}) > 1
        else []
    )


def _networks(attacked: Sequence[Result]) -> list[Result]:
    """The attacks by super resolution, if more than one network was used."""
    found = [result for result in attacked if is_plain(result) and result.network]
    return found if len({result.network for result in found}) > 1 else []


def _defended(attacked: Sequence[Result]) -> list[Result]:
    """Defended and undefended detectors of the same models and methods, if there are any; undefended ones first."""
    pairs = {(result.model, result.trained_on) for result in attacked if result.defence != UNDEFENDED}
    attacks = {result.attack for result in attacked if result.defence != UNDEFENDED}
    found = [
        result
        for result in attacked
        if (result.model, result.trained_on) in pairs
        and result.trained_on == result.tested_on
        and result.attack in attacks
    ]
    return sorted(found, key=lambda result: result.defence != UNDEFENDED)
