"""Progress of a command's runs: a table, and the commands that do the missing ones."""

import time
from collections import Counter
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.experiment.runs import Run
from sr_deepfake.system.console import on_a_terminal, print_parts

ALL_DONE, SOME_FAILED, UNFINISHED = 0, 1, 3
STATES = {
    "done": "green", "running": "cyan", "skipped": "dim", "failed": "red", "interrupted": "yellow", "missing": "dim",
}  # fmt: skip
MANY = 5  # so many runs are shown with a command each; the sweep's command does all of them


def exit_status(runs: list[Run]) -> int:
    """0: all are done or were left out; 1: some failed; 3: some are missing, running or interrupted.

    Example:
        >>> exit_status([])
        3
    """
    states = {run.state for run in runs}
    if "failed" in states:
        return SOME_FAILED
    return ALL_DONE if states and states <= {"done", "skipped"} else UNFINISHED


def without_repetitions(runs: list[Run]) -> list[Run]:
    """Leave out what was done again later: by `train` and by `evaluate`, say."""
    last = {run.result or run.name: run for run in runs}
    return [run for run in runs if last[run.result or run.name] is run]


def show(runs: list[Run], varied: list[dict[str, str]], outputs: Path) -> None:
    """Print a table of the runs, in colour on a terminal, and how many there are of each state.

    Args:
        runs: what to show.
        varied: for each run, further columns and their values.
        outputs: where the runs are written.
    """
    terminal = on_a_terminal()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, show_edge=False, pad_edge=False)
    names = ["Model", "Forgery", "Attack", *varied[0], "State", "For"]
    for name in names:
        table.add_column(name, no_wrap=True, justify="right" if name == "For" else "left")
    table.add_column("", overflow="fold")
    now = time.time()
    for run, values in zip(runs, varied, strict=True):
        style = STATES[run.state] if terminal else ""
        words = [run.model, run.forgery, run.attack, *values.values()]
        state, since = Text(run.state, style=style), Text(how_long(run, now))
        table.add_row(*(Text(word) for word in words), state, since, Text(_remark(run, outputs)))
    print_parts(table)
    counts = Counter(run.state for run in runs)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    print(f"\n{len(runs)} runs in {outputs}: {told}.")


def _remark(run: Run, outputs: Path) -> str:
    if run.state == "done":
        return str(outputs / run.result)
    if run.state == "running":
        return f"process {run.pid} on {run.host}"
    return run.error


def how_long(run: Run, now: float) -> str:
    """Duration of a run so far, in words.

    Example:
        >>> from dataclasses import replace
        >>> run = Run("train", [], {}, "swin", "FaceSwap", "none", "sample", state="done", seconds=8000)
        >>> how_long(run, 0.0), how_long(replace(run, state="running", since=10.0), 105.0)
        ('2 h 13 min', '1 min 35 s')
    """
    if run.state in ("missing", "interrupted"):
        return ""  # when an interrupted one ended is not known
    seconds = round(now - run.since if run.state == "running" else run.seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def show_remedies(runs: list[Run], sweep: str | None) -> None:
    """Print the commands that do what is not done.

    Args:
        runs: all of them.
        sweep: the command that does the rest of all; None: there is none.
    """
    open_runs = [run for run in runs if run.state in ("missing", "failed", "interrupted")]
    if not open_runs:
        return
    if sweep is not None:
        print(f"\nThe rest is done by\n  {sweep}")
        if len(runs) == 1:
            return
    if sweep is None:
        heading = "\nOne by one:"
    elif len(open_runs) > MANY:
        heading, open_runs = "or one of them, as in", open_runs[:1]
    else:
        heading = "or one by one"
    commands = dict.fromkeys(command_of(run.program, run.overrides) for run in open_runs)
    print("\n  ".join([heading, *commands]))
