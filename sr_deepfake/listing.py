"""A list on the terminal: wrapped and styled there, one line an entry anywhere else, for other programs to read."""

import io
import sys

from rich.console import Console
from rich.table import Table


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
