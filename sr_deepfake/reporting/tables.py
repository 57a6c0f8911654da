"""The paper's tables 1, 2 and 3 from a grid, with marks and intervals, and the table of changes."""

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.predictions import SIMILARITY
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import (
    HEADINGS,
    WITH_INTERVAL,
    heading,
    mark,
    model_name,
    number,
    p_value,
    signed,
)
from sr_deepfake.reporting.published import PRISTINE
from sr_deepfake.reporting.table import ReportTable, Row

# Table number → the setup whose figures stand in the attacked rows.
SETUPS = {1: "both", 2: "fake"}
WHO = {1: "Both pristine and fake images are attacked.", 2: "Only the fake images are attacked."}
CLEAN, ATTACKED = "×", "✓"
NAMES = ("Model", "Forgery Method", "SR")
MARKS = (
    "* p < 0.05, ** p < 0.01, *** p < 0.001: exact McNemar test of the change of decisions, a video as the unit, "
    "corrected by Holm's method over all tests of the grid."
)
SEEDS = (
    "±: mean and standard deviation over the seeds of a detector's training. Intervals and tests are over the test "
    "videos of the newest seed, and so are the figures."
)
# As the paper orders the methods in table 3.
SIMILARITY_ORDER = ("Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")


def rates_table(grid: ReportGrid, which: int, illustration: str | None = None) -> ReportTable:
    """Table 1 or 2 of the paper: rates in % with one decimal, clean (×) and attacked (✓); over seeds mean ± deviation.

    Args:
        grid: model × forgery method.
        which: 1 (all faces attacked) or 2 (fakes only; its FPR is blank, since pristine faces are untouched).
        illustration: the caption that says that the figures are illustrations.
    """
    rows: list[Row] = []
    for entry in grid.shown:
        for attacked in (False, True):
            marks = (
                {rate: mark(p) for rate, p in entry.p_values.items()} if attacked and not entry.seeds else {}
            )
            rows.append(
                [
                    *names_of(entry, attacked),
                    *(_rate(entry, which, attacked, rate, marks) for rate in HEADINGS),
                ]
            )
    tests = any(entry.p_values for entry in grid.entries)
    return ReportTable(
        name=f"table_{which}",
        title=f"Table {which}: {'all faces' if which == 1 else 'fakes only'} attacked, attack {grid.attack}",
        columns=[*NAMES, *(heading(rate) for rate in HEADINGS)],
        rows=rows,
        caption=caption(grid, WHO[which], illustration),
        text_columns=3,
        group_by=2,
        rules=rules_of(grid, 2),
        remarks=[*([MARKS] if tests else []), *_seeds(grid)],
    )


def interval_table(grid: ReportGrid, which: int, illustration: str | None = None) -> ReportTable:
    """FNR, FPR and AUC of table 1 or 2 with 95 % intervals over videos."""
    rows: list[Row] = []
    for entry in grid.shown:
        for attacked in (False, True):
            result, setup = (entry.attacked, SETUPS[which]) if attacked else (entry.clean, "clean")
            cells = [
                "" if _is_blank(which, attacked, rate) else _around(result, setup, rate)
                for rate in WITH_INTERVAL
            ]
            rows.append([*names_of(entry, attacked), *cells])
    return ReportTable(
        name=f"table_{which}_intervals",
        title=f"Table {which} with 95 % intervals",
        columns=[*NAMES, *(heading(rate) for rate in WITH_INTERVAL)],
        rows=rows,
        caption=caption(grid, f"{WHO[which]} 95 % bootstrap intervals over videos.", illustration),
        text_columns=3,
        group_by=2,
        rules=rules_of(grid, 2),
        remarks=_seeds(grid),
    )


def change_table(grid: ReportGrid, illustration: str | None = None) -> ReportTable | None:
    """What the attack changed, in points, with intervals and corrected p-values; None where nothing was attacked."""
    rows: list[Row] = []
    for entry, result in grid.attacked:
        cells: list[str | None] = []
        for rate in WITH_INTERVAL:
            shown, around = (
                signed(change_of(result, "both", rate), 1, 100),
                result.interval("changes", "both", rate),
            )
            over_seeds = [change_of(seed, "both", rate) for seed in entry.seeds]
            known = [change for change in over_seeds if change is not None]
            if len(known) == len(over_seeds) > 1:
                shown = f"{signed(fmean(known), 1, 100)} ± {100 * stdev(known):.1f}"
            elif shown is not None and around is not None:
                shown += f" [{around[0] * 100:+.1f}, {around[1] * 100:+.1f}]"
            cells.append(shown)
            if rate in ("fnr", "fpr"):
                cells.append(p_value(entry.p_values.get(rate)))
        rows.append([model_name(entry.model), entry.forgery, *cells])
    if not rows:
        return None
    return ReportTable(
        name="changes",
        title=f"Change under {grid.attack}, all faces attacked",
        columns=[*NAMES[:2], "FNR change", "p (FNR)", "FPR change", "p (FPR)", "AUC change"],
        rows=rows,
        caption=caption(
            grid, "Attacked less clean, in points; 95 % bootstrap intervals over videos.", illustration
        ),
        text_columns=2,
        group_by=1,
        remarks=[
            "p: exact McNemar test by video, corrected by Holm's method over all tests of the grid. FNR is the same "
            "where fakes alone are attacked (table 2).",
            *_seeds(grid),
        ],
    )


def similarity_table(grid: ReportGrid, illustration: str | None = None) -> ReportTable | None:
    """Table 3: mean SSIM and PSNR of attacked faces, at their own size and as the published script computes them.

    The faces do not depend on the detector: a method's figures are those of the first results that have them.

    Returns:
        The table; None where nothing was attacked.
    """
    found = similarity_of(grid)
    if not found:
        return None
    rows: list[Row] = []
    for name in similarity_rows(grid):
        values = found[name]
        rows.append(
            [name, *(number(values[measure], 3 if "ssim" in measure else 1) for measure in SIMILARITY)]
        )
    return ReportTable(
        name="table_3",
        title=f"Table 3: similarity of clean and attacked faces, attack {grid.attack}",
        columns=[
            "Forgery Method", "SSIM ↑", "PSNR ↑ (dB)", "SSIM at 224 px", "PSNR at 224 px (dB)",
            "PSNR at 224 px, wrapped (dB)",
        ],
        rows=rows,
        caption=caption(grid, "Means over faces.", illustration),
        rules=[1],
        remarks=[
            "SSIM and PSNR are of faces at their own size. The published script resizes both pictures to 224 px "
            "before, and computes PSNR on 8-bit numbers that wrap around, which reads too high: these columns stand "
            "here for comparison with the paper's table 3 alone."
        ],
    )  # fmt: skip


def row_of(entry: Entry, which: int, attacked: bool) -> Mapping[str, Any] | None:
    """The figures of a row of table 1 or 2, fractions; None where there are none."""
    result = entry.attacked if attacked else entry.clean
    return None if result is None else result.metrics[SETUPS[which] if attacked else "clean"]


def change_of(result: Result, setup: str, rate: str) -> float | None:
    """Attacked less clean of a rate, a fraction; None where either is undefined."""
    clean, attacked = result.metrics["clean"][rate], result.metrics[setup][rate]
    return None if clean is None or attacked is None else float(attacked - clean)


def similarity_of(grid: ReportGrid) -> dict[str, Mapping[str, Any]]:
    """`Pristine` and the methods that have attacked results → SSIM, PSNR and the wrapped PSNR."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry, result in grid.attacked:
        found.setdefault(PRISTINE, result.metrics["similarity"]["pristine"])
        found.setdefault(entry.forgery, result.metrics["similarity"]["fake"])
    return found


def similarity_rows(grid: ReportGrid) -> list[str]:
    """The names of `similarity_of` in the order of table 3."""
    found = similarity_of(grid)
    known = [name for name in (PRISTINE, *SIMILARITY_ORDER) if name in found]
    return [*known, *(name for name in found if name not in known)]


def caption(grid: ReportGrid, words: str, illustration: str | None) -> str:
    """Caption of a grid's table."""
    of = f"Data: {grid.data}, protocol {grid.protocol}, attack {grid.attack}."
    return " ".join([words, of, *([illustration.strip()] if illustration else [])])


def _seeds(grid: ReportGrid) -> list[str]:
    return [SEEDS] if any(entry.seeds for entry in grid.entries) else []


def names_of(entry: Entry, attacked: bool) -> list[str]:
    """The first three cells of a row."""
    return [model_name(entry.model), entry.forgery, ATTACKED if attacked else CLEAN]


def _is_blank(which: int, attacked: bool, rate: str) -> bool:
    """Whether a figure is left out: the FPR of table 2, whose pristine faces are untouched."""
    return attacked and which == 2 and rate == "fpr"


def _rate(entry: Entry, which: int, attacked: bool, rate: str, marks: Mapping[str, str]) -> str | None:
    row = row_of(entry, which, attacked)
    if row is None or _is_blank(which, attacked, rate):
        return None if row is None else ""
    setup = SETUPS[which] if attacked else "clean"
    values = [result.metrics[setup][rate] for result in entry.seeds]
    if len(values) > 1 and None not in values:
        return f"{100 * fmean(values):.1f} ± {100 * stdev(values):.1f}"
    shown = number(row[rate], 1, 100)
    return shown if shown is None else shown + marks.get(rate, "")


def _around(result: Result | None, setup: str, rate: str) -> str | None:
    if result is None:
        return None
    shown, around = number(result.metrics[setup][rate], 1, 100), result.interval(setup, rate)
    if shown is None or around is None:
        return shown
    return f"{shown} [{around[0] * 100:.1f}, {around[1] * 100:.1f}]"


def rules_of(grid: ReportGrid, rows_an_entry: int) -> list[int]:
    """Rows with a line above them: one between the models."""
    models = [entry.model for entry in grid.shown for _ in range(rows_an_entry)]
    return [row for row in range(1, len(models)) if models[row] != models[row - 1]]
