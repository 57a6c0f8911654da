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

log = logging.getLogger(__name__)

Item = TypeVar("Item")
WIDE = 10_000  # columns of plain text
LOG_EVERY = 30.0  # seconds between two log lines


def on_a_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_parts(*parts: RenderableType, file: TextIO | None = None, width: int = WIDE) -> None:
    """Print what rich renders: styled on a terminal, as plain text into a pipe or a file."""
    target = sys.stdout if file is None else file
    encoding = getattr(target, "encoding", None) or "utf-8"  # an in-memory file has none
    unicode = encoding.lower().startswith("utf")
    if target.isatty() and unicode:
        Console(file=target, highlight=False).print(*parts, sep="\n")
        return
    text = plain_text(*parts, width=width)
    if not unicode:  # a result must not be lost to an encoding
        text = text.replace("−", "-").replace("–", "-").encode(encoding, "backslashreplace").decode(encoding)
    print(text, file=target)


def plain_text(*parts: RenderableType, width: int = WIDE) -> str:
    """Render as plain text, without blanks at the ends of lines."""
    # Into memory, so that no setting of terminals (FORCE_COLOR, COLUMNS) reaches what is written.
    text = io.StringIO()
    Console(file=text, width=width, color_system=None, force_terminal=False, legacy_windows=False).print(
        *parts, sep="\n"
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def progress_bars(unit: str, show: bool = True) -> Progress:
    """Progress bars on standard error with count, rate in `unit` a second and time left, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not (show and console.is_terminal), redirect_stdout=False)


def track(items: Iterable[Item], total: int, title: str, unit: str, show: bool = True) -> Iterator[Item]:
    """Pass items through, and show progress: a bar on a terminal, otherwise a log line every half minute."""
    with progress_bars(unit, show) as bars:
        passed = bars.track(items, total=total, description=title)
        yield from _logged(passed, total, title, unit) if show and bars.disable else passed


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
