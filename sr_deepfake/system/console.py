"""Terminal output: tables (plain text into a pipe) and progress."""

import io
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeVar

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

log = logging.getLogger(__name__)

Item = TypeVar("Item")
WIDE = 10_000  # columns of plain text
LOG_EVERY = 30.0  # seconds between two log lines,
LOG_STEPS = 5.0  # and where a job has named its steps
_steps: list[str] = []  # titles of what a job does, in order


def name_steps(titles: Sequence[str]) -> None:
    """Name what this job does, in order: its progress then says which step it is at, and more often."""
    _steps[:] = titles


def step_of(title: str) -> str:
    """The title of what is done, with its number where the job's steps are named."""
    return f"{_steps.index(title) + 1} of {len(_steps)}: {title}" if title in _steps else title


def log_every() -> float:
    """Seconds between two lines of progress."""
    return LOG_STEPS if _steps else LOG_EVERY


def time_left(done: int, total: float, passed: float) -> str:
    """How long the rest will take, in words; passed: seconds so far.

    >>> time_left(10, 40, 25.0)
    '1:15 left'
    """
    seconds = round((total - done) * passed / max(done, 1))
    return f"{seconds // 60}:{seconds % 60:02} left"


def on_a_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def print_parts(*parts: RenderableType, file: TextIO | None = None) -> None:
    """Print what rich renders: styled on a terminal, as plain text into a pipe or a file."""
    target = sys.stdout if file is None else file
    encoding = getattr(target, "encoding", None) or "utf-8"  # an in-memory file has none
    unicode = encoding.lower().startswith("utf")
    if target.isatty() and unicode:
        Console(file=target, highlight=False).print(*parts, sep="\n")
        return
    # Into memory, so that no setting of terminals (FORCE_COLOR, COLUMNS) reaches what is written.
    memory = io.StringIO()
    plain = Console(file=memory, width=WIDE, color_system=None, force_terminal=False, legacy_windows=False)
    plain.print(*parts, sep="\n")
    text = "\n".join(line.rstrip() for line in memory.getvalue().splitlines())
    if not unicode:  # a result must not be lost to an encoding
        text = text.replace("−", "-").replace("–", "-").encode(encoding, "backslashreplace").decode(encoding)
    print(text, file=target)


def progress_bars(unit: str, show: bool = True) -> Progress:
    """Progress bars on standard error with count, rate in `unit` a second and time left, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(unit), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not (show and console.is_terminal), redirect_stdout=False)


def track(items: Iterable[Item], total: int, title: str, unit: str, show: bool = True) -> Iterator[Item]:
    """Pass items through, and show progress: a bar on a terminal, otherwise a log line every half minute."""
    with progress_bars(unit, show) as bars:
        passed = bars.track(items, total=total, description=step_of(title))
        yield from _logged(passed, total, step_of(title), unit) if show and bars.disable else passed


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
        if now - last >= log_every() and done < total:
            last = now
            # The first one waits for what is loaded.
            left = f", {time_left(done, total, now - start)}" if done > 1 else ""
            log.info("%s: %d of %d %s%s", title, done, total, unit, left)
