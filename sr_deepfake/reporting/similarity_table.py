"""The paper's table 3 from a grid: how alike clean and attacked faces are."""

from collections.abc import Mapping
from typing import Any

from sr_deepfake.reporting.paper_tables import caption, commands
from sr_deepfake.reporting.published import PRISTINE
from sr_deepfake.reporting.report_grid import ReportGrid
from sr_deepfake.reporting.report_tables import ReportTable, Row
from sr_deepfake.reporting.table import number

# As the paper orders the methods in table 3.
SIMILARITY_ORDER = ("Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")


def similarity_table(grid: ReportGrid, illustration: str | None = None) -> ReportTable | None:
    """Table 3: mean SSIM and PSNR of attacked faces; the PSNR exact, and as the published script computes it.

    The faces do not hang on the detector: a method's figures are those of the first results that have them.

    Returns:
        The table; None where nothing was attacked.
    """
    found = similarity_of(grid)
    if not found:
        return None
    rows: list[Row] = []
    for name in [PRISTINE, *similarity_methods(grid)]:
        values: Mapping[str, Any] = found.get(name, {})
        decimals = {"ssim": 3, "psnr": 1, "psnr_wrapped": 1}
        rows.append([name, *(number(values.get(figure), places) for figure, places in decimals.items())])
    return ReportTable(
        name="table_3",
        title=f"Table 3: similarity of clean and attacked faces, attack {grid.attack}",
        columns=["Forgery Method", "SSIM ↑", "PSNR ↑ (dB)", "PSNR wrapped (dB)"],
        rows=rows,
        caption=caption(grid, "Means over faces.", illustration),
        rules=[1],
        remarks=[
            "PSNR wrapped is computed as the published script does, on 8-bit numbers that wrap around: it reads too "
            "high, and stands here for comparison with the paper's table 3 alone."
        ],
        commands=commands(grid),
    )


def similarity_of(grid: ReportGrid) -> dict[str, Mapping[str, Any]]:
    """`Pristine` and the methods that have attacked results → SSIM, PSNR and the wrapped PSNR."""
    found: dict[str, Mapping[str, Any]] = {}
    for place, cell in grid.attacked:
        found.setdefault(PRISTINE, cell.metrics["similarity"]["pristine"])
        found.setdefault(place.forgery, cell.metrics["similarity"]["fake"])
    return found


def similarity_methods(grid: ReportGrid) -> list[str]:
    """The grid's methods in the order of table 3."""
    return [
        *(method for method in SIMILARITY_ORDER if method in grid.methods),
        *(method for method in grid.methods if method not in SIMILARITY_ORDER),
    ]
