"""Terminal output: tables (plain text into a pipe) and progress."""

import io
import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

WIDE = 10_000  # columns of plain text
# For output that cannot show them; a result must never be lost to an encoding.
_ASCII = str.maketrans({"–": "-", "×": "x", "─": "-", "━": "-", "✓": "v", "Δ": "d", "↓": "-", "↑": "+", "→": ">"})


def on_a_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_parts(*parts: RenderableType, file: TextIO | None = None, width: int = WIDE) -> None:
    """Print what rich renders: styled on a terminal, as plain text into a pipe or a file.

    Args:
        *parts: one below the other.
        file: where to; standard output unless told.
        width: of plain text, in columns. A table in a file is as wide as it is, whatever the terminal.
    """
    target = sys.stdout if file is None else file
    if target.isatty() and _is_unicode(target):
        Console(file=target, highlight=False).print(*parts, sep="\n")
        return
    text = plain_text(*parts, width=width)
    if not _is_unicode(target):
        text = text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
    print(text, file=target)


def plain_text(*parts: RenderableType, width: int = WIDE) -> str:
    """Render as plain text, without blanks at the ends of lines."""
    # A file of its own, so that no setting for terminals (FORCE_COLOR, COLUMNS) reaches what is written down.
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(
        *parts, sep="\n"
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _is_unicode(file: TextIO) -> bool:
    encoding = getattr(file, "encoding", None) or "utf-8"  # an in-memory file has none and takes everything
    return encoding.lower().replace("-", "").startswith("utf")


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
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn())
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
