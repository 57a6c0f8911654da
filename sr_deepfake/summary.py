"""The table and the figure of an experiment: `python -m sr_deepfake.summary experiment=transfer`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig

from sr_deepfake.asked_grid import asked_grid
from sr_deepfake.cell import Cell
from sr_deepfake.cells import CellStore
from sr_deepfake.errors import UserError
from sr_deepfake.grid import Grid
from sr_deepfake.overrides import CONF
from sr_deepfake.provenance import command_of

if TYPE_CHECKING:
    from sr_deepfake.reporting.summary import Result

NOTHING, INCOMPLETE = 1, 3
PREDICTIONS = "predictions.parquet"


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="summary")
def _hydra(cfg: DictConfig) -> None:
    """Answer --help, --cfg and the like, as the other programs do."""


def main() -> None:
    """Show and write what an experiment comes to; the exit status is 0, 1, 2 or 3, as `--help` says."""
    asked = asked_grid(_hydra)
    if asked is None:
        return
    try:
        complete = summarise(_configuration(asked.grid, asked.search), asked.grid)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(NOTHING) from None
    raise SystemExit(0 if complete else INCOMPLETE)


def _configuration(grid: Grid, search: str | None) -> DictConfig:
    """That of the first cell: what all cells share."""
    extra = [f"hydra.searchpath=[{Path(search).resolve().as_uri()}]"] if search else []
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", [*grid.cells[0].overrides, *extra])


def summarise(cfg: DictConfig, grid: Grid) -> bool:
    """Make an experiment's table and figure, print and write them.

    Args:
        cfg: the configuration; `summary.make` is what makes them.
        grid: the experiment's cells.

    Returns:
        Whether no cell is missing.

    Raises:
        UserError: the configuration names no summary, or there is nothing to show.
    """
    if "summary" not in cfg:
        names = [file.stem for file in sorted((CONF / "experiment").glob("*.yaml")) if _has_summary(file)]
        raise UserError(f"there is no summary of this; choose one with experiment=, from {', '.join(names)}")
    # Imported here, since pandas and torch take seconds: --help and mistakes answer at once.
    from sr_deepfake.reporting.summary import Missing, print_summary, write_summary

    make = hydra.utils.instantiate(cfg.summary.make)
    store = CellStore(grid.outputs)
    found = [store.like(cell) or cell for cell in grid.cells]
    results = results_of(found, grid.outputs)
    missing = [
        Missing(command_of(cell.program, wanted.overrides), cell.error or cell.state)
        for cell, wanted, result in zip(found, grid.cells, results, strict=True)
        if result.predictions is None
    ]
    summary = make(results)
    done = [cell for cell in found if cell.state == "done"]
    caption = next((words for cell in done if (words := _told(cell, grid.outputs)["illustration"])), None)
    folder = grid.outputs / "experiments" / f"{cfg.summary.name}-{grid.cells[0].data}"
    files = write_summary(folder, summary, caption, missing)
    print_summary(summary, caption, missing)
    print("\nWritten:", *[f"  {file}" for file in files], sep="\n")
    return not missing


def _has_summary(file: Path) -> bool:
    return "\nsummary:" in file.read_text(encoding="utf-8")


def results_of(cells: Sequence[Cell], outputs: Path) -> list["Result"]:
    """What an experiment's summary sees of its cells; those that are missing go by the names of those like them.

    Args:
        cells: with what became of them.
        outputs: where their results are.
    """
    from sr_deepfake.metrics.predictions import read_predictions
    from sr_deepfake.reporting.summary import Result

    told = {cell.name: _told(cell, outputs) for cell in cells if cell.state == "done"}
    attacks = {cell.attack: told[cell.name] for cell in cells if cell.name in told}
    defences = {_defence(cell): told[cell.name]["defence"] for cell in cells if cell.name in told}
    found = []
    for cell in cells:
        known = told.get(cell.name) or attacks.get(cell.attack) or {"attack": cell.attack}
        network = cell.choices["sr_model"] if cell.choices["attack"] == "sr" else cell.choices["attack"]
        found.append(
            Result(
                model=cell.model,
                trained_on=cell.forgery,
                tested_on=cell.settings["tested_on"],
                attack=known["attack"],
                network=known.get("network") or network,
                scale=int(cell.settings["attack"].get("scale", 1)),
                defence=defences.get(_defence(cell), _defence(cell)),
                predictions=read_predictions(outputs / cell.result / PREDICTIONS)
                if cell.name in told
                else None,
            )
        )
    return found


def _told(cell: Cell, outputs: Path) -> dict[str, Any]:
    """What the results of a cell say of themselves."""
    from sr_deepfake.metrics.setups import read_metrics

    told: dict[str, Any] = read_metrics(outputs / cell.result / "metrics.json")["cell"]
    return told


def _defence(cell: Cell) -> str:
    probability = cell.settings["defence"].get("probability")
    return cell.choices["defence"] if probability is None else f"{cell.choices['defence']} p={probability:g}"


if __name__ == "__main__":
    main()
