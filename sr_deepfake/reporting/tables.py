"""The paper's tables 1, 2 and 3, their intervals, the changes, other operating points, and what the network adds."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import stdev

from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.predictions import SIMILARITY
from sr_deepfake.reporting.control import Contribution
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import (
    CHANGED,
    HEADINGS,
    TABLE,
    heading,
    p_value,
    show,
    show_change,
    show_value,
    stars,
)
from sr_deepfake.reporting.published import PRISTINE, model_name
from sr_deepfake.reporting.table import ReportTable, Row

SETUPS = {1: "both", 2: "fake"}  # table number → the setup of the attacked rows
WHO = {1: "Both pristine and fake images are attacked.", 2: "Only the fake images are attacked."}
CLEAN, ATTACKED = "×", "✓"
NAMES = ("Model", "Forgery Method", "SR")
TEST = (
    "exact randomisation (sign-flip) test of the change of decisions, clusters as units, corrected by Holm's method over all "
    "tests of the grid"
)
MARKS = f"* p < 0.05, ** p < 0.01, *** p < 0.001: {TEST}."
# As the paper orders the methods in table 3.
SIMILARITY_ORDER = (PRISTINE, "Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
_UNITS = {"ece": "", "brier": ""} | {name: "" if "ssim" in name else "dB" for name in SIMILARITY}


def detector_rows(grid: ReportGrid, which: int) -> Iterator[tuple[list[str], Entry, str]]:
    """Two rows for each detector of table 1 or 2, clean and attacked: their first cells, and the setup of their figures."""
    for entry in grid.shown:
        names = [model_name(entry.model), entry.method]
        yield [*names, CLEAN], entry, "clean"
        yield [*names, ATTACKED], entry, SETUPS[which]


def rates_table(grid: ReportGrid, which: int) -> ReportTable:
    """Table 1 or 2 of the paper: rates in %, clean (×) and attacked (✓); over several seeds mean ± standard deviation."""
    uneven = any(entry.metrics.counts.pristine != entry.metrics.counts.fake for entry in grid.shown)
    metrics = [*TABLE, *(["balanced_accuracy"] if uneven else [])]
    tests = any(entry.figure("both", "fnr").p is not None for entry in grid.attacked)
    return _table(
        grid,
        f"table_{which}",
        f"Table {which}: {'all faces' if which == 1 else 'fakes only'} attacked, attack {grid.attack}",
        [*NAMES, *map(heading, metrics)],
        [
            [*names, *(_rate(entry, setup, metric) for metric in metrics)]
            for names, entry, setup in detector_rows(grid, which)
        ],
        WHO[which],
        [*([MARKS] if tests else []), *_seeds(grid), *(["Classes are not even."] if uneven else [])],
    )


def interval_table(grid: ReportGrid, which: int) -> ReportTable:
    """FNR, FPR, AUC and accuracy of table 1 or 2 with 95 % intervals."""
    metrics = ("fnr", "fpr", "auc", "accuracy")
    return _table(
        grid,
        f"table_{which}_intervals",
        f"Table {which} with 95 % intervals",
        [*NAMES, *map(heading, metrics)],
        [
            [*names, *("" if _is_blank(setup, each) else show_value(entry.figure(setup, each)) for each in metrics)]
            for names, entry, setup in detector_rows(grid, which)
        ],
        f"{WHO[which]} {_made(grid)}",
        _seeds(grid),
    )


def change_table(grid: ReportGrid) -> ReportTable | None:
    """What the attack changed, in points, with intervals and corrected p-values; None where nothing was attacked."""
    rows = []
    for entry in grid.attacked:
        fnr, fpr, auc = (entry.figure("both", metric) for metric in CHANGED)
        changes = [show_change(fnr), p_value(fnr.p), show_change(fpr), p_value(fpr.p), show_change(auc)]
        rows.append([model_name(entry.model), entry.method, *changes])
    if not rows:
        return None
    return _table(
        grid,
        "changes",
        f"Change under {grid.attack}, all faces attacked",
        [*NAMES[:2], "FNR change", "p (FNR)", "FPR change", "p (FPR)", "AUC change"],
        rows,
        f"Attacked less clean, in points. {_made(grid)}",
        [f"p: {TEST}. FNR is the same where fakes alone are attacked (table 2).", *_seeds(grid)],
        text_columns=2,
    )


def operating_table(grid: ReportGrid) -> ReportTable:
    """Other operating points: a threshold chosen on clean validation faces, TPR at low FPR, calibration, success."""
    others = ("tpr_at_1", "tpr_at_5", "ece", "brier", "attack_success")
    rows = []
    for names, entry, setup in detector_rows(grid, 1):
        figures = [(f"threshold/{setup}", "fnr"), (f"threshold/{setup}", "fpr"), *((setup, name) for name in others)]
        cells = [show_value(entry.figure(of, name), _UNITS.get(name, "%")) for of, name in figures]
        if setup == "clean":
            rows.append([*names, show(entry.metrics.threshold.value, ""), *cells[:-1], ""])
        else:
            rows.append([*names, "", *cells])
    rules = sorted({entry.metrics.threshold.rule for entry in grid.shown} - {""})
    return _table(
        grid,
        "operating_points",
        "Other operating points",
        [*NAMES, "Threshold", "FNR", "FPR", *(HEADINGS[name] for name in others)],
        rows,
        f"{WHO[1]} Threshold chosen on clean validation faces: {', '.join(rules) or 'none'}. {_made(grid)}",
        [
            "FNR and FPR are at the chosen threshold, held under the attack. TPR at an FPR is of the best threshold for "
            "these very faces. ECE: expected calibration error, 15 bins. Success of the attack: of the fakes found clean at "
            "0.5, the share missed attacked."
        ],
    )


def similarity_table(grid: ReportGrid) -> ReportTable | None:
    """Table 3: mean SSIM and PSNR of attacked faces, at their own size and as the published script computes them."""
    rows = [
        [name, *(show_value(figures[metric], _UNITS[metric]) for metric in SIMILARITY)]
        for name, figures in similarity_of(grid).items()
    ]
    if not rows:
        return None
    return _table(
        grid,
        "table_3",
        f"Table 3: similarity of clean and attacked faces, attack {grid.attack}",
        [
            "Forgery Method", "SSIM ↑", "PSNR ↑ (dB)", "SSIM at 224 px", "PSNR at 224 px (dB)",
            "PSNR at 224 px, wrapped (dB)",
        ],
        rows,
        f"Means over test faces. {_made(grid)}",
        [
            "SSIM and PSNR are of faces at their own size. The published script resizes both pictures to 224 px first, and "
            "computes PSNR on 8-bit numbers that wrap around, which reads too high: these columns are for comparison with "
            "the paper's table 3 alone."
        ],
        text_columns=1,
    )  # fmt: skip


def control_table(grid: ReportGrid, contributions: Sequence[Contribution]) -> ReportTable | None:
    """What the network adds to the same scaling without it; None where there is no control."""
    if not contributions:
        return None
    rows = []
    for found in contributions:
        figures = [found.figure(metric) for metric in CHANGED]
        cells = [cell for figure in figures for cell in (show_change(figure), p_value(figure.p))]
        rows.append([model_name(found.entry.model), found.entry.method, found.control, *cells])
    headings = [HEADINGS[metric] for metric in CHANGED]
    return _table(
        grid,
        "network",
        f"What the network adds: {grid.attack} less its control",
        [*NAMES[:2], "Control", *(word for name in headings for word in (name, f"p ({name})"))],
        rows,
        f"Under the attack less under its control, in points, same detector and faces, all faces attacked. {_made(grid)}",
        [
            "The control is the same scaling without a network (bicubic, lanczos), or the attacked faces' path without an "
            "attack (resampling). p: randomisation test of the paired difference, clusters as units (for FNR and FPR exact), "
            "corrected by Holm's method over this table."
        ],
    )


def similarity_of(grid: ReportGrid) -> dict[str, dict[str, Figure]]:
    """`Pristine` and the methods with attacked results → SSIM and PSNR, in the order of table 3."""
    found: dict[str, dict[str, Figure]] = {}
    for entry in grid.attacked:
        found.setdefault(PRISTINE, entry.metrics.figures.get("similarity/pristine", {}))
        found.setdefault(entry.method, entry.metrics.figures.get("similarity/fake", {}))
    known = [name for name in SIMILARITY_ORDER if name in found]
    return {name: found[name] for name in [*known, *(name for name in found if name not in known)] if found[name]}


def bootstrapped(shown: Iterable[Metrics]) -> str:
    """How the intervals of figures were made, in a sentence."""
    made = [metrics.bootstrap for metrics in shown]
    units, seeds = sorted({each.unit for each in made}), any(each.seeds > 1 for each in made)
    return "" if not units else f"95 % bootstrap intervals over {' or '.join(units)}s{' and seeds' if seeds else ''}."


def caption(grid: ReportGrid, words: str) -> str:
    """Caption of a grid's table."""
    of = f"Data: {grid.data}, protocol {grid.protocol}, attack {grid.attack}."
    return " ".join([words, of, *([grid.illustration] if grid.illustration else [])])


def _made(grid: ReportGrid) -> str:
    return bootstrapped(entry.metrics for entry in grid.shown)


def _table(
    grid: ReportGrid,
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    words: str,
    remarks: Sequence[str],
    text_columns: int = 3,
) -> ReportTable:
    models = [row[0] for row in rows]
    rules = [number for number in range(1, len(rows)) if text_columns > 1 and models[number] != models[number - 1]]
    return ReportTable(name, title, columns, rows, caption(grid, words), text_columns, text_columns - 1, rules, remarks)


def _is_blank(setup: str, metric: str) -> bool:
    """Whether a figure is left out: the FPR of table 2, whose pristine faces are untouched."""
    return setup == "fake" and metric == "fpr"


def _rate(entry: Entry, setup: str, metric: str) -> str:
    if _is_blank(setup, metric):
        return ""
    figure = entry.figure(setup, metric)
    shown = show(figure.value)
    if figure.value is not None:
        values = [seed.metrics.value(setup, metric) for seed in entry.result.seeds]
        known = [value for value in values if value is not None]
        shown += f" ± {100 * stdev(known):.1f}" if len(known) > 1 else ""
    return shown + (stars(figure.p) if metric in ("fnr", "fpr") else "")


def _seeds(grid: ReportGrid) -> list[str]:
    several = [len(entry.result.seeds) for entry in grid.shown if entry.result.seeds]
    if not several:
        return []
    counts = str(min(several)) if min(several) == max(several) else f"{min(several)} to {max(several)}"
    return [
        f"Means over {counts} seeds of a detector's training (±: their standard deviation); intervals and tests are over seeds "
        "and clusters."
    ]
