"""A figure of a report, and its files."""

import re
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from sr_deepfake.reporting.figures import save_figure


@dataclass(frozen=True)
class ReportFigure:
    """A figure as it is shown.

    Attributes:
        name: of its files; letters, digits, dots, hyphens and underscores only (see `file_name`).
        title: what it shows, for headings; plain text.
        caption: how to read it; plain text.
        figure: of matplotlib, from `drawn`.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def write(self, folder: Path, illustration: str | None = None) -> tuple[Path, Path]:
        """Write `<name>.png` and `<name>.svg`, whose text stays text; the same figure gives the same bytes.

        Args:
            folder: where to; made if need be.
            illustration: the caption that says that figures are illustrations; stands at the lower edge.

        Returns:
            The two files, the PNG first.
        """
        png, svg = save_figure(self.figure, folder / self.name, illustration)
        return png, svg


def file_name(text: str) -> str:
    """A name that is safe as a file's.

    Example:
        >>> file_name("roc_my/net <b>")
        'roc_my_net__b_'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)
