"""The paper's tables 1, 2 and 3, their intervals, the changes, other operating points, and what the network adds."""

from collections.abc import Iterable, Sequence
from statistics import stdev

from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.predictions import SIMILARITY
from sr_deepfake.reporting.control import Contribution
from sr_deepfake.reporting.grid import Entry, ReportGrid
from sr_deepfake.reporting.numbers import HEADINGS, TABLE, UNDEFINED, heading, p_value, show, stars
from sr_deepfake.reporting.published import PRISTINE, model_name
from sr_deepfake.reporting.table import ReportTable, Row

SETUPS = {1: "both", 2: "fake"}  # table number → the setup of the attacked rows
WHO = {1: "Both pristine and fake images are attacked.", 2: "Only the fake images are attacked."}
CLEAN, ATTACKED = "×", "✓"
NAMES = ("Model", "Forgery Method", "SR")
CHANGED = ("fnr", "fpr", "auc")  # whose changes are shown
TEST = (
    "exact randomisation (sign-flip) test of the change of decisions, clusters as units, corrected by Holm's method over all "
    "tests of the grid"
)
MARKS = f"* p < 0.05, ** p < 0.01, *** p < 0.001: {TEST}."
# As the paper orders the methods in table 3.
SIMILARITY_ORDER = (PRISTINE, "Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures")
_UNITS = {"ece": "", "brier": ""} | {name: "" if "ssim" in name else "dB" for name in SIMILARITY}


def rates_table(grid: ReportGrid, which: int) -> ReportTable:
    """Table 1 or 2 of the paper: rates in %, clean (×) and attacked (✓); over several seeds mean ± standard deviation."""
    uneven = any(entry.metrics and entry.metrics.counts.pristine != entry.metrics.counts.fake for entry in grid.shown)
    metrics = [*TABLE, *(["balanced_accuracy"] if uneven else [])]
    rows = [
        [*_names(entry, attacked), *(_rate(entry, which, attacked, metric) for metric in metrics)]
        for entry in grid.shown
        for attacked in (False, True)
    ]
    tests = any(entry.figure("both", "fnr").p is not None for entry in grid.attacked)
    return _table(
        grid,
        f"table_{which}",
        f"Table {which}: {'all faces' if which == 1 else 'fakes only'} attacked, attack {grid.attack}",
        [*NAMES, *map(heading, metrics)],
        rows,
        WHO[which],
        [*([MARKS] if tests else []), *_seeds(grid), *(["Classes are not even."] if uneven else [])],
    )


def interval_table(grid: ReportGrid, which: int) -> ReportTable:
    """FNR, FPR, AUC and accuracy of table 1 or 2 with 95 % intervals."""
    metrics = ("fnr", "fpr", "auc", "accuracy")
    rows = []
    for entry in grid.shown:
        for attacked in (False, True):
            setup = SETUPS[which] if attacked else "clean"
            cells = [
                "" if _is_blank(which, attacked, metric) else _with_interval(entry.figure(setup, metric), "%")
                for metric in metrics
            ]
            rows.append([*_names(entry, attacked), *cells])
    return _table(
        grid,
        f"table_{which}_intervals",
        f"Table {which} with 95 % intervals",
        [*NAMES, *map(heading, metrics)],
        rows,
        f"{WHO[which]} {bootstrapped(entry.metrics for entry in grid.shown)}",
        _seeds(grid),
    )


def change_table(grid: ReportGrid) -> ReportTable | None:
    """What the attack changed, in points, with intervals and corrected p-values; None where nothing was attacked."""
    rows = []
    for entry in grid.attacked:
        cells = []
        for metric in CHANGED:
            figure = entry.figure("both", metric)
            cells += [show(figure.change, "points", figure.change_interval)]
            cells += [p_value(figure.p)] if metric != "auc" else []
        rows.append([*_names(entry, True)[:2], *cells])
    if not rows:
        return None
    return _table(
        grid,
        "changes",
        f"Change under {grid.attack}, all faces attacked",
        [*NAMES[:2], "FNR change", "p (FNR)", "FPR change", "p (FPR)", "AUC change"],
        rows,
        f"Attacked less clean, in points. {bootstrapped(entry.metrics for entry in grid.shown)}",
        [f"p: {TEST}. FNR is the same where fakes alone are attacked (table 2).", *_seeds(grid)],
        text_columns=2,
    )


def operating_table(grid: ReportGrid) -> ReportTable:
    """Other operating points: a threshold chosen on clean validation faces, TPR at low FPR, calibration, success."""
    rows = []
    for entry in grid.shown:
        for attacked in (False, True):
            setup = SETUPS[1] if attacked else "clean"
            chosen = entry.metrics.threshold.value if entry.metrics is not None and not attacked else None
            cells = [
                _with_interval(entry.figure(f"threshold/{setup}", "fnr"), "%"),
                _with_interval(entry.figure(f"threshold/{setup}", "fpr"), "%"),
                *(
                    _with_interval(entry.figure(setup, metric), _UNITS.get(metric, "%"))
                    for metric in ("tpr_at_1", "tpr_at_5", "ece", "brier")
                ),
                _with_interval(entry.figure(setup, "attack_success"), "%") if attacked else "",
            ]
            rows.append([*_names(entry, attacked), "" if attacked else show(chosen, ""), *cells])
    made = bootstrapped(entry.metrics for entry in grid.shown)
    rules = sorted({entry.metrics.threshold.rule for entry in grid.shown if entry.metrics} - {""})
    return _table(
        grid,
        "operating_points",
        "Other operating points",
        [
            *NAMES, "Threshold", "FNR", "FPR",
            *(HEADINGS[name] for name in ("tpr_at_1", "tpr_at_5", "ece", "brier", "attack_success")),
        ],
        rows,
        f"{WHO[1]} Threshold chosen on clean validation faces: {', '.join(rules) or 'none'}. {made}",
        [
            "FNR and FPR are at the chosen threshold, held under the attack. TPR at an FPR is of the best threshold for "
            "these very faces. ECE: expected calibration error, 15 bins. Success of the attack: of the fakes found clean at "
            "0.5, the share missed attacked."
        ],
    )  # fmt: skip


def similarity_table(grid: ReportGrid) -> ReportTable | None:
    """Table 3: mean SSIM and PSNR of attacked faces, at their own size and as the published script computes them."""
    rows = [
        [name, *(_with_interval(figures[metric], _UNITS[metric]) for metric in SIMILARITY)]
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
        f"Means over test faces. {bootstrapped(entry.metrics for entry in grid.shown)}",
        [
            "SSIM and PSNR are of faces at their own size. The published script resizes both pictures to 224 px first, and "
            "computes PSNR on 8-bit numbers that wrap around, which reads too high: these columns are for comparison with "
            "the paper's table 3 alone."
        ],
        text_columns=1,
    )  # fmt: skip


def control_table(grid: ReportGrid, contributions: Sequence[Contribution]) -> ReportTable | None:
    """What the network adds to the same scaling without it; None where there is no control."""
    rows = []
    for found in contributions:
        cells = []
        for metric in CHANGED:
            figure = found.figure(metric)
            cells += [show(figure.change, "points", figure.change_interval), p_value(figure.p)]
        rows.append([model_name(found.entry.model), found.entry.method, found.control, *cells])
    if not rows:
        return None
    return _table(
        grid,
        "network",
        f"What the network adds: {grid.attack} less its control",
        [
            *NAMES[:2],
            "Control",
            *(word for metric in CHANGED for word in (HEADINGS[metric], f"p ({HEADINGS[metric]})")),
        ],
        rows,
        "Under the attack less under its control, in points, same detector and faces, all faces attacked. "
        f"{bootstrapped(entry.metrics for entry in grid.shown)}",
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
        metrics: Metrics | None = entry.metrics
        if metrics is not None:
            found.setdefault(PRISTINE, metrics.figures.get("similarity/pristine", {}))
            found.setdefault(entry.method, metrics.figures.get("similarity/fake", {}))
    known = [name for name in SIMILARITY_ORDER if name in found]
    return {name: found[name] for name in [*known, *(name for name in found if name not in known)] if found[name]}


def bootstrapped(shown: Iterable[Metrics | None]) -> str:
    """How the intervals of figures were made, in a sentence."""
    made = [metrics.bootstrap for metrics in shown if metrics]
    units, seeds = sorted({each.unit for each in made}), any(each.seeds > 1 for each in made)
    return "" if not units else f"95 % bootstrap intervals over {' or '.join(units)}s{' and seeds' if seeds else ''}."


def caption(grid: ReportGrid, words: str) -> str:
    """Caption of a grid's table."""
    of = f"Data: {grid.data}, protocol {grid.protocol}, attack {grid.attack}."
    return " ".join([words, of, *([grid.illustration] if grid.illustration else [])])


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
    group = max(text_columns - 1, 0)
    return ReportTable(name, title, columns, rows, caption(grid, words), text_columns, group, rules, remarks)


def _names(entry: Entry, attacked: bool) -> list[str]:
    return [model_name(entry.model), entry.method, ATTACKED if attacked else CLEAN]


def _is_blank(which: int, attacked: bool, metric: str) -> bool:
    """Whether a figure is left out: the FPR of table 2, whose pristine faces are untouched."""
    return attacked and which == 2 and metric == "fpr"


def _rate(entry: Entry, which: int, attacked: bool, metric: str) -> str:
    if _is_blank(which, attacked, metric):
        return ""
    setup = SETUPS[which] if attacked else "clean"
    figure = entry.figure(setup, metric)
    shown = show(figure.value)
    if entry.result is not None and entry.result.seeds and shown != UNDEFINED:
        values = [seed.metrics.value(setup, metric) for seed in entry.result.seeds]
        known = [value for value in values if value is not None]
        shown += f" ± {100 * stdev(known):.1f}" if len(known) > 1 else ""
    return shown + (stars(figure.p) if metric in ("fnr", "fpr") and attacked else "")


def _with_interval(figure: Figure, unit: str) -> str:
    return show(figure.value, unit, figure.interval)


def _seeds(grid: ReportGrid) -> list[str]:
    several = [len(entry.result.seeds) for entry in grid.shown if entry.result and entry.result.seeds]
    if not several:
        return []
    counts = str(min(several)) if min(several) == max(several) else f"{min(several)} to {max(several)}"
    return [
        f"Means over {counts} seeds of a detector's training (±: their standard deviation); intervals and tests are over seeds "
        "and clusters."
    ]
