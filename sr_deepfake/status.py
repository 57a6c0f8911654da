"""How far a sweep is: `python -m sr_deepfake.status experiment=paper data.root=/path/to/FaceForensics++`."""

import time
from collections import Counter
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich import box
from rich.table import Table
from rich.text import Text

from sr_deepfake.asked_grid import asked_grid
from sr_deepfake.cell import Cell
from sr_deepfake.cells import CellStore
from sr_deepfake.listing import on_a_terminal, print_listing
from sr_deepfake.overrides import CONF
from sr_deepfake.provenance import command_of

ALL_DONE, SOME_FAILED, UNFINISHED = 0, 1, 3
STATES = {
    "done": "green", "running": "cyan", "skipped": "dim", "failed": "red", "interrupted": "yellow", "missing": "dim",
}  # fmt: skip
MANY = 5  # so many cells are shown with a command each; the sweep's command does all of them


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="status")
def _hydra(cfg: DictConfig) -> None:
    """Answer --help, --cfg and the like, as the other programs do."""


def main() -> None:
    """List cells and what became of them; the exit status is 0, 1, 2 or 3, as `--help` says."""
    asked = asked_grid(_hydra)
    if asked is None:
        return
    typed, grid = asked.typed, asked.grid
    store = CellStore(grid.outputs)
    if all(argument.startswith(("-", "paths.")) for argument in typed):
        cells, varied, sweep = _without_repetitions(store.all()), None, None
    else:
        cells, varied = [store.like(cell) or cell for cell in grid.cells], grid.varied
        rest = [argument for argument in typed if argument not in ("-m", "--multirun")]
        sweep = command_of("train", ["-m", *rest] if grid.is_sweep else rest)
    if cells:
        show(cells, varied or [{} for _ in cells], grid.outputs)
        show_remedies(cells, sweep)
    else:
        print(
            f"There are no cells in {grid.outputs} yet. `python -m sr_deepfake.train` does one; "
            "`python -m sr_deepfake.status experiment=NAME` shows those of an experiment."
        )
    raise SystemExit(exit_status(cells))


def exit_status(cells: list[Cell]) -> int:
    """0: all are done or were left out; 1: some failed; 3: some are missing, running or interrupted.

    Example:
        >>> exit_status([])
        3
    """
    states = {cell.state for cell in cells}
    if "failed" in states:
        return SOME_FAILED
    return ALL_DONE if states and states <= {"done", "skipped"} else UNFINISHED


def _without_repetitions(cells: list[Cell]) -> list[Cell]:
    """Leave out what was done again later: by `train` and by `evaluate`, say."""
    last = {cell.result or cell.name: cell for cell in cells}
    return [cell for cell in cells if last[cell.result or cell.name] is cell]


def show(cells: list[Cell], varied: list[dict[str, str]], outputs: Path) -> None:
    """Print a table of the cells, in colour on a terminal, and how many there are of each state.

    Args:
        cells: what to show.
        varied: for each cell, further columns and their values.
        outputs: where the cells are written.
    """
    terminal = on_a_terminal()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, show_edge=False, pad_edge=False)
    names = ["Model", "Forgery", "Attack", *varied[0], "State", "For"]
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if name == "For" else "left")
    table.add_column("", overflow="fold")
    now = time.time()
    for cell, values in zip(cells, varied, strict=True):
        style = STATES[cell.state] if terminal else ""
        words = [cell.model, cell.forgery, cell.attack, *values.values()]
        state, since = Text(cell.state, style=style), Text(how_long(cell, now))
        table.add_row(*(Text(word) for word in words), state, since, Text(_remark(cell, outputs)))
    print_listing(table)
    counts = Counter(cell.state for cell in cells)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    print(f"\n{len(cells)} cells in {outputs}: {told}.")


def _remark(cell: Cell, outputs: Path) -> str:
    if cell.state == "done":
        return str(outputs / cell.result)
    if cell.state == "running":
        return f"process {cell.pid} on {cell.host}"
    return cell.error


def how_long(cell: Cell, now: float) -> str:
    """How long a cell took, or has been running.

    Example:
        >>> from dataclasses import replace
        >>> cell = Cell("train", [], {}, "swin", "FaceSwap", "none", "sample", state="done", seconds=8000)
        >>> how_long(cell, 0.0), how_long(replace(cell, state="running", since=10.0), 105.0)
        ('2 h 13 min', '1 min 35 s')
    """
    if cell.state in ("missing", "interrupted"):
        return ""  # when an interrupted one ended is not known
    seconds = round(now - cell.since if cell.state == "running" else cell.seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def show_remedies(cells: list[Cell], sweep: str | None) -> None:
    """Print the commands that do what is not done.

    Args:
        cells: all of them.
        sweep: the command that does the rest of all; None: there is none.
    """
    open_cells = [cell for cell in cells if cell.state in ("missing", "failed", "interrupted")]
    if not open_cells:
        return
    if sweep is not None:
        print(f"\nThe rest is done by\n  {sweep}")
        if len(cells) == 1:
            return
    if sweep is None:
        heading = "\nOne by one:"
    elif len(open_cells) > MANY:
        heading, open_cells = "or one of them, as in", open_cells[:1]
    else:
        heading = "or one by one"
    commands = dict.fromkeys(command_of(cell.program, cell.overrides) for cell in open_cells)
    print("\n  ".join([heading, *commands]))


if __name__ == "__main__":
    main()
