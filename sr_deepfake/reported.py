"""From the configuration to a report."""

import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from sr_deepfake import provenance
from sr_deepfake.app.build import plain, words
from sr_deepfake.errors import UserError, choose
from sr_deepfake.filling import Filling
from sr_deepfake.illustrating import illustrate
from sr_deepfake.reporting.building import illustration_of, make_figures, make_tables, notes_of
from sr_deepfake.reporting.experiment_parts import experiment_parts
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.report_cells import Collected, collect
from sr_deepfake.reporting.report_grid import Wish, make_grid

COMPARISONS = ("none", "paper")


def report_of(cfg: DictConfig) -> Report:
    """Collect the results that the configuration names and make a report of them.

    Raises:
        UserError: there are no results, or they are not what the options ask for.
    """
    compare = choose(cfg.compare, COMPARISONS, "compare") == "paper"
    count = int(cfg.examples)
    if count < 0:
        raise UserError(f"examples={count}: none, which is 0, is the least")
    folders = [Path(folder).expanduser() for folder in words(cfg.folders)]
    collected = collect(folders)
    if not collected.cells:
        raise UserError(_nothing(folders, collected))
    wish = Wish(**{name: plain(value) for name, value in cfg.grid.items()})
    outputs = list(dict.fromkeys(cell.outputs for cell in collected.cells))
    grid = make_grid(collected.cells, wish, Filling(collected.cells, outputs))
    illustration = illustration_of(grid, collected.cells)
    parts = experiment_parts(collected.cells, grid, illustration)
    # What is refused is refused before the figures are drawn.
    tables = make_tables(grid, parts, illustration, compare, bool(cfg.compare_force))
    figures, without_curves = make_figures(grid, collected.cells, parts)
    examples, without_pictures = illustrate(grid, count)
    return Report(
        cells=collected.cells,
        grid=grid,
        tables=tables,
        figures=figures,
        examples=examples,
        unread=collected.unread,
        notes=[*notes_of(grid, collected), *without_curves, *without_pictures],
        illustration=illustration,
        versions=provenance.versions(),
        command=provenance.started_command(),
        made=provenance.utc(time.time()),
    )


def _nothing(folders: Sequence[Path], collected: Collected) -> str:
    places = ", ".join(map(str, folders))
    told = "".join(f"; {unread.folder}: {unread.reason}" for unread in collected.unread[:3])
    return (
        f"there are no results in {places}{told}. `python -m sr_deepfake.train experiment=demo` makes some; "
        "folders=[FOLDER] names where they are"
    )
