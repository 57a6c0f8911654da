"""Shared by all figures: a paper's widths, a style for black and white and for colour-blind people, their files."""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from sr_deepfake.reporting.grid import Entry
from sr_deepfake.reporting.published import model_name

COLUMN, PAGE = 3.3, 7.0  # inches, a column and the page of a paper
DOTS = 300  # per inch of the PNG
SMALLEST = 7  # points; no text is smaller
_CHARACTERS = 18  # of a caption, fit into an inch
# Colour (Okabe and Ito's, which colour-blind people tell apart), line style, marker, grey and hatching of the first,
# second, ... series: colour never says alone what the others do not.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREYS = ("0.0", "0.45", "0.25", "0.6")
HATCHES = ("", "////", "....", "xxxx")
_STYLE: Any = {
    "font.size": SMALLEST,
    "axes.titlesize": SMALLEST,
    "axes.labelsize": SMALLEST,
    "xtick.labelsize": SMALLEST,
    "ytick.labelsize": SMALLEST,
    "legend.fontsize": SMALLEST,
    "figure.labelsize": SMALLEST,
    "figure.titlesize": SMALLEST,
    "legend.handlelength": 2.4,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sr_deepfake",  # the same figure is the same file
}


class _StableLayout(ConstrainedLayoutEngine):
    """Matplotlib's, to a millionth of the figure: its solver's last digits differ from run to run."""

    def execute(self, fig: Figure) -> None:
        super().execute(fig)
        for axes in fig.axes:
            axes.set_position(np.round(axes.get_position(original=True).bounds, 6).tolist())
            axes.set_in_layout(True)  # which `set_position` ends


def drawn(draw: Callable[[Figure], None], height: float, width: float = COLUMN) -> Figure:
    """Make a figure."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout=_StableLayout())
        draw(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Write a figure as PNG and as SVG, whose text stays text; the same figure gives the same bytes."""
    png, svg = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}.svg")
    with matplotlib.rc_context(_STYLE):
        for file, metadata in ((png, {}), (svg, {"Date": None})):
            # A layout starts from where the last one ended: axes go back to where they were before any. One for both files
            # would move what is drawn, since the width of text differs between pixels and points.
            for axes in figure.axes:
                if place := axes.get_subplotspec():
                    axes.set_subplotspec(place)
            figure.savefig(file, dpi=DOTS, metadata=metadata)
    return png, svg


def add_caption(figure: Figure, caption: str) -> None:
    """Lengthen a figure by a caption at its lower edge."""
    width, height = figure.get_size_inches()
    words = textwrap.fill(caption, int(width * _CHARACTERS))
    room = (words.count("\n") + 1.6) * SMALLEST * 1.25 / 72  # inches
    share = room / (height + room)
    figure.set_size_inches(width, height + room)
    figure.set_layout_engine(_StableLayout(rect=(0, share, 1, 1 - share)))
    with matplotlib.rc_context(_STYLE):
        low = 0.25 * SMALLEST / 72 / (height + room)
        figure.text(0.5, low, words, ha="center", va="bottom", fontstyle="italic")


@dataclass(frozen=True)
class ReportFigure:
    """A figure as it is shown; all words are plain text."""

    name: str  # of its files, see `file_name`
    title: str  # what it shows
    caption: str  # how to read it
    figure: Figure  # from `drawn`

    @property
    def is_wide(self) -> bool:
        """Whether it is drawn for a paper's page, not for a column."""
        return bool(self.figure.get_figwidth() > 1.2 * COLUMN)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write `<name>.png` and `<name>.svg`."""
        return save_figure(self.figure, folder / self.name)


def file_name(text: str) -> str:
    """A name that is safe as a file's.

    >>> file_name("roc_../../my net <b>")
    'roc_.._.._my_net__b_'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def label_rows(panels: Sequence[Axes], models: Iterable[str], entries: Sequence[Entry]) -> list[int]:
    """Name the rows of panels: a heading for each model, and below it its detectors, whose rows are returned."""
    rows: list[int] = []
    top = 0
    for model in models:
        panels[0].annotate(  # aligned with the methods' names, at the figure's left edge
            model_name(model), (0, top), xycoords=("axes fraction", "data"), xytext=(-4, 0), textcoords="offset points",
            ha="right", va="center", fontweight="bold",
        )  # fmt: skip
        count = sum(entry.model == model for entry in entries)
        rows += range(top + 1, top + 1 + count)
        top += 1 + count
    for panel in panels:
        panel.set_ylim(top - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.spines["left"].set_visible(False)
    panels[0].set_yticks(rows, [entry.method for entry in entries])
    return rows
