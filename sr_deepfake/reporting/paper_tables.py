"""The paper's tables 1 and 2 from a grid: the same columns, order and rounding, with marks and intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from sr_deepfake.reporting.published import MODEL_NAMES
from sr_deepfake.reporting.report_cells import ReportCell
from sr_deepfake.reporting.report_grid import Place, ReportGrid
from sr_deepfake.reporting.report_tables import ReportTable, Row
from sr_deepfake.reporting.table import HEADINGS, WITH_INTERVAL, number

# Table number → the setup whose figures stand in the attacked rows.
SETUPS = {1: "both", 2: "fake"}
WHO = {1: "Both pristine and fake images are attacked.", 2: "Only the fake images are attacked."}
CLEAN, ATTACKED = "×", "✓"
NAMES = ("Model", "Forgery Method", "SR")
RISES = {"fnr": "↓", "fpr": "↓"}  # the better direction; up for the others
LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
MARKS = (
    "* p < 0.05, ** p < 0.01, *** p < 0.001: exact McNemar test of the change of decisions, a video as the unit, "
    "corrected by Holm's method over all tests of the grid."
)


def rates_table(grid: ReportGrid, which: int, illustration: str | None = None) -> ReportTable:
    """Table 1 or 2 of the paper: rates in % with one decimal, clean (×) and attacked (✓).

    Args:
        grid: model × forgery method.
        which: 1 (all faces attacked) or 2 (fakes only; its FPR is blank, since pristine faces are untouched).
        illustration: the caption that says that the figures are illustrations.
    """
    rows: list[Row] = []
    for place in grid.places:
        for attacked in (False, True):
            values = row_of(place, which, attacked)
            marks = {rate: mark(p) for rate, p in place.p_values.items()} if attacked else {}
            cells = [
                shown if shown is None else shown + marks.get(rate, "")
                for rate, shown in zip(
                    HEADINGS, _percentages(values, blank_fpr=attacked and which == 2), strict=True
                )
            ]
            rows.append(
                [model_name(place.model), place.forgery, ATTACKED if attacked else CLEAN, *_unmarked(cells)]
            )
    return ReportTable(
        name=f"table_{which}",
        title=f"Table {which}: {'all faces' if which == 1 else 'fakes only'} attacked, attack {grid.attack}",
        columns=[*NAMES, *(heading(rate) for rate in HEADINGS)],
        rows=rows,
        caption=caption(grid, WHO[which], illustration),
        text_columns=3,
        group_by=2,
        rules=_rules(grid, 2),
        remarks=[MARKS] if any(place.p_values for place in grid.places) else [],
        commands=commands(grid),
    )


def interval_table(grid: ReportGrid, which: int, illustration: str | None = None) -> ReportTable | None:
    """FNR, FPR and AUC of table 1 or 2 with 95 % intervals over videos; None where no results have any."""
    rows: list[Row] = []
    some = False
    for place in grid.places:
        for attacked in (False, True):
            setup = SETUPS[which] if attacked else "clean"
            values = row_of(place, which, attacked)
            cell = place.attacked if attacked else place.clean
            cells: list[str | None] = []
            for rate, shown in zip(WITH_INTERVAL, _percentages(values, names=WITH_INTERVAL), strict=True):
                around = interval(cell, setup, rate)
                if attacked and which == 2 and rate == "fpr":
                    cells.append("")
                elif shown is None or around is None:
                    cells.append(shown)
                else:
                    some = True
                    cells.append(f"{shown} [{around[0] * 100:.1f}, {around[1] * 100:.1f}]")
            rows.append([model_name(place.model), place.forgery, ATTACKED if attacked else CLEAN, *cells])
    if not some:
        return None
    return ReportTable(
        name=f"table_{which}_intervals",
        title=f"Table {which} with 95 % intervals",
        columns=[*NAMES, *(heading(rate) for rate in WITH_INTERVAL)],
        rows=rows,
        caption=caption(grid, f"{WHO[which]} 95 % bootstrap intervals over videos.", illustration),
        text_columns=3,
        group_by=2,
        rules=_rules(grid, 2),
    )


def change_table(grid: ReportGrid, illustration: str | None = None) -> ReportTable | None:
    """What the attack changed, in points, with intervals and corrected p-values; None where nothing was attacked."""
    rows: list[Row] = []
    for place in grid.places:
        cells: list[str | None] = []
        for rate in WITH_INTERVAL:
            change = change_of(place.attacked, "both", rate)
            around = interval(place.attacked, "changes", "both", rate)
            shown = signed(change, 1, 100)
            if shown is not None and around is not None:
                shown += f" [{around[0] * 100:+.1f}, {around[1] * 100:+.1f}]"
            cells.append(shown)
            if rate in ("fnr", "fpr"):
                cells.append(p_value(place.p_values.get(rate)))
        rows.append([model_name(place.model), place.forgery, *cells])
    if not grid.attacked:
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
        rules=_rules(grid, 1),
        remarks=[
            "p: exact McNemar test by video, corrected by Holm's method over all tests of the grid. FNR is the same "
            "where fakes alone are attacked (table 2)."
        ],
    )


def row_of(place: Place, which: int, attacked: bool) -> Mapping[str, Any] | None:
    """The figures of a row of table 1 or 2, fractions; None where they are missing."""
    if attacked:
        return None if place.attacked is None else place.attacked.metrics[SETUPS[which]]
    return None if place.clean is None else place.clean.metrics["clean"]


def change_of(cell: ReportCell | None, setup: str, rate: str) -> float | None:
    """Attacked less clean of a rate, a fraction; None where either is missing or undefined."""
    if cell is None or cell.metrics.get(setup) is None:
        return None
    clean, attacked = cell.metrics["clean"][rate], cell.metrics[setup][rate]
    return None if clean is None or attacked is None else float(attacked - clean)


def interval(cell: ReportCell | None, *path: str) -> tuple[float, float] | None:
    """The interval of a figure; None where the results have none, or it is undefined.

    Args:
        cell: the results.
        *path: of the figure, as in `intervals/both/fnr`.
    """
    found: Any = None if cell is None else cell.metrics.get("intervals")
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if not isinstance(found, Sequence) or None in found:
        return None
    return float(found[0]), float(found[1])


def mark(p: float) -> str:
    """Stars of a p-value.

    Example:
        >>> mark(0.2), mark(0.03), mark(0.0002)
        ('', '*', '***')
    """
    return next((stars for level, stars in LEVELS if p < level), "")


def p_value(p: float | None) -> str | None:
    """A p-value in words; None where there was nothing to test.

    Example:
        >>> p_value(0.0312), p_value(2e-9), p_value(1.0)
        ('0.031', '< 0.001', '1.000')
    """
    if p is None:
        return None
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def signed(value: float | None, decimals: int, factor: int = 1) -> str | None:
    """A difference with its sign, or None; what rounds to nothing has none of its own.

    Example:
        >>> signed(0.093, 1, 100), signed(-0.0001, 1, 100), signed(None, 1)
        ('+9.3', '+0.0', None)
    """
    return None if value is None else f"{round(value * factor, decimals) + 0.0:+.{decimals}f}"


def model_name(model: str) -> str:
    """A model as the paper calls it."""
    return MODEL_NAMES.get(model, model)


def heading(rate: str) -> str:
    """A rate's heading with the direction that is better, as in the paper.

    Example:
        >>> heading("fnr"), heading("auc")
        ('FNR ↓', 'AUC ↑')
    """
    return f"{HEADINGS[rate]} {RISES.get(rate, '↑')}"


def caption(grid: ReportGrid, words: str, illustration: str | None) -> str:
    """What stands with every table of a grid."""
    of = f"Data: {grid.data}, protocol {grid.protocol}, attack {grid.attack}."
    return " ".join([words, of, *([illustration.strip()] if illustration else [])])


def commands(grid: ReportGrid) -> list[str]:
    """The commands that fill what the grid lacks, with the reason where one is known, as a comment of the shell."""
    lines = []
    for place in grid.missing:
        lines += [f"# {' '.join(place.reason.split())}"] if place.reason else []
        lines += place.commands
    return lines


def _percentages(
    values: Mapping[str, Any] | None, names: Sequence[str] = tuple(HEADINGS), blank_fpr: bool = False
) -> list[str | None]:
    return [
        "" if blank_fpr and rate == "fpr" and values is not None else number((values or {}).get(rate), 1, 100)
        for rate in names
    ]


def _unmarked(cells: Sequence[str | None]) -> list[str | None]:
    """A blank has nothing to mark."""
    return ["" if cell is not None and not cell.strip("*") else cell for cell in cells]


def _rules(grid: ReportGrid, rows_a_place: int) -> list[int]:
    """A line between the models."""
    return [place * len(grid.methods) * rows_a_place for place in range(1, len(grid.models))]
