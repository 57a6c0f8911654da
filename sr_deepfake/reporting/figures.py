"""What the figures of the experiments share: a paper column's width, a style that can be read in black and white."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from sr_deepfake.files import replacing

COLUMN = 3.3  # inches, a column of a paper
DOTS = 300  # per inch of the PNG
_CHARACTERS = 90  # of a caption, fit into a line
# Line style, marker, grey and hatching of the first, second, ... series: told apart without colour.
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREYS = ("0.0", "0.45", "0.25", "0.6")
HATCHES = ("", "////", "....", "xxxx")
_STYLE: Any = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "hatch.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sr_deepfake",  # the same figure is the same file
}


def drawn(draw: Callable[[Figure], None], height: float) -> Figure:
    """Make a figure of a column's width.

    Args:
        draw: fills it.
        height: inches.

    Example:
        >>> figure = drawn(lambda figure: figure.subplots().plot([1, 2]), height=2)
        >>> figure.get_size_inches().tolist()
        [3.3, 2.0]
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(COLUMN, height), layout="constrained")
        draw(figure)
    return figure


def save_figure(figure: Figure, path: Path, caption: str | None = None) -> list[Path]:
    """Write a figure as PNG and as SVG, each whole or not at all; the same figure gives the same bytes.

    Args:
        figure: from `drawn`.
        path: without an ending.
        caption: stands at the lower edge, so that it goes wherever the figure goes.

    Returns:
        The two files.
    """
    files = [path.with_name(f"{path.name}.{ending}") for ending in ("png", "svg")]
    with matplotlib.rc_context(_STYLE):
        if caption:
            figure.supxlabel(textwrap.fill(caption, _CHARACTERS), fontsize=5, fontstyle="italic")
        for file in files:
            metadata = {"Date": None} if file.suffix == ".svg" else {}
            with replacing(file) as beside:
                figure.savefig(beside, format=file.suffix[1:], dpi=DOTS, metadata=metadata)
    return files
