"""Progress of a command's jobs: a table, and the commands that do the missing ones."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from sr_deepfake.experiment.jobs import Job
from sr_deepfake.experiment.provenance import command_of
from sr_deepfake.system.console import on_a_terminal, print_parts

STATES = {
    "done": "green", "running": "cyan", "skipped": "dim", "failed": "red", "interrupted": "yellow", "missing": "dim",
}  # fmt: skip


def rows_of(jobs: Sequence[Job], asked: Sequence[Sequence[str]], program: str = "train") -> list[Job]:
    """The newest job of a program for each of some lists of overrides; those that were never started as missing."""
    known = {job.command: job for job in jobs}
    wanted = [Job(program=program, overrides=tuple(overrides)) for overrides in asked]
    return [known.get(job.command, job) for job in wanted]


def exit_status(jobs: Sequence[Job]) -> int:
    """0: all are done or were skipped; 1: some failed; 3: some are missing, running or interrupted."""
    states = {job.state for job in jobs}
    if "failed" in states:
        return 1
    return 0 if states and states <= {"done", "skipped"} else 3


def show(jobs: Sequence[Job], outputs: Path) -> None:
    """Print a table of the jobs, in colour on a terminal, and how many there are of each state."""
    terminal = on_a_terminal()
    table = Table(box=box.SIMPLE_HEAD if terminal else None, show_edge=False, pad_edge=False)
    shared = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    for name in ("Job", "State", "For"):
        table.add_column(name, no_wrap=True, justify="right" if name == "For" else "left")
    table.add_column("", overflow="fold")
    now = time.time()
    for job in jobs:
        words = " ".join(override for override in job.overrides if override not in shared) or "(as configured)"
        words = words if job.program == "train" else f"{job.program}: {words}"
        state = Text(job.state, style=STATES[job.state] if terminal else "")
        table.add_row(Text(words), state, Text(how_long(job, now)), Text(_remark(job, outputs)))
    print_parts(table)
    counts = Counter(job.state for job in jobs)
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])  # type: ignore[index]  # of Job's states
    print(f"\n{len(jobs)} {'run' if len(jobs) == 1 else 'runs'} in {outputs}: {states}.")


def _remark(job: Job, outputs: Path) -> str:
    if job.state == "done":
        return ", ".join(str(outputs / result) for result in job.results)
    if job.state == "running":
        return f"process {job.pid} on {job.host}"
    return job.error


def how_long(job: Job, now: float) -> str:
    """Duration of a job so far, in words."""
    if job.state in ("missing", "interrupted"):
        return ""  # when an interrupted one ended is not known
    seconds = round(now - job.since if job.state == "running" else job.seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def show_remedies(jobs: Sequence[Job], sweep: str | None) -> None:
    """Print the commands that do what is not done."""
    unfinished = [job for job in jobs if job.state in ("missing", "failed", "interrupted")]
    if not unfinished:
        return
    if sweep is not None:
        print(f"\nThe rest is done by\n  {sweep}")
        if len(jobs) == 1:
            return
    if sweep is None:
        heading = "\nOne by one:"
    elif len(unfinished) > 5:  # the sweep's command does all of them
        heading, unfinished = "or one of them, as in", unfinished[:1]
    else:
        heading = "or one by one"
    commands = dict.fromkeys(command_of(job.program, list(job.overrides)) for job in unfinished)
    print("\n  ".join([heading, *commands]))
