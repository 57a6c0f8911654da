"""What goes to the terminal: tables (plain text into a pipe), and how far a long job is."""

import io
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text


def on_a_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def print_listing(table: Table) -> None:
    """Print a table.

    Example:
        >>> table = Table("File", "Faces", box=None)
        >>> table.add_row("a.png", "2")
        >>> print_listing(table)
        File   Faces
        a.png  2
    """
    if on_a_terminal():
        Console(highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=10_000, color_system=None, force_terminal=False).print(table)
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


log = logging.getLogger(__name__)

Item = TypeVar("Item")
LOG_EVERY = 30.0  # seconds between two log lines


def track(items: Iterable[Item], total: int, title: str, unit: str, show: bool = True) -> Iterator[Item]:
    """Pass items through and show how many have passed, how many a second, and the time left.

    Args:
        items: anything iterable.
        total: how many there will be.
        title: what is being done.
        unit: what an item is, in the plural.
        show: False to show nothing.

    >>> list(track([1, 2, 3], total=3, title="Counting", unit="numbers", show=False))
    [1, 2, 3]
    """
    if not show:
        yield from items
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _logged(items, total, title, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield from progress.track(items, total=total, description=title)


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f} {self.unit}/s" if task.speed else "")


def _logged(items: Iterable[Item], total: int, title: str, unit: str) -> Iterator[Item]:
    start = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_EVERY and done < total:
            last = now
            rate = done / (now - start)
            minutes = (total - done) / rate / 60
            log.info("%s: %d of %d %s, %.1f/s, %.0f min left", title, done, total, unit, rate, minutes)
