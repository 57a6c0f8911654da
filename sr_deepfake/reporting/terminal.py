"""A result's metrics as a table like the paper's, for the terminal."""

import math
from collections.abc import Mapping
from typing import Any, TextIO

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sr_deepfake.metrics.predictions import SIMILARITY
from sr_deepfake.reporting.numbers import HEADINGS, UNDEFINED, WITH_INTERVAL, WITHOUT, number
from sr_deepfake.system.console import plain_text, print_parts

WIDTH = 80
# What the two lines of a setup are called: the first beside the clean row, the second beside the attacked.
SETUPS = {"both": ("both (table 1)", "all faces attacked"), "fake": ("fake (table 2)", "only fakes attacked")}


def result_table(metrics: Mapping[str, Any], title: str, caption: str | None = None) -> RenderableType:
    """Lay out a result's metrics.

    Args:
        metrics: what `run_metrics` returns, or `read_metrics` reads: fractions, dB; NaN or None what is
            undefined. Without an attack there is a clean row only. Intervals and tests are shown where the
            metrics have them.
        title: stands above; shown as it is, square brackets included.
        caption: stands below, also as it is.

    Returns:
        A rich renderable that fits into 80 columns: percentages with one decimal, SSIM with three.
    """
    parts: list[RenderableType] = [Text(title, style="bold"), Text(), _rates(metrics)]
    if metrics.get("intervals") is not None:
        parts += [Text(), _intervals(metrics)]
    if metrics.get("mcnemar") is not None:
        parts += [Text(), Text(_tests(metrics["mcnemar"]))]
    if metrics.get("calibration") is not None:
        parts += [Text(), _beyond(metrics), Text(_chosen(metrics))]
    if metrics.get("similarity") is not None:
        parts += [Text(), _similarity(metrics["similarity"])]
    parts += [Text(), Text(_counts(metrics))]
    if caption:
        parts.append(Text(caption, style="italic"))
    return Group(*parts)


def render_result_table(metrics: Mapping[str, Any], title: str, caption: str | None = None) -> str:
    """Return a result's metrics as plain text of at most 80 columns, for a file or a log.

    Args:
        metrics: what `run_metrics` returns, or `read_metrics` reads.
        title: stands above, as it is.
        caption: stands below, as it is.

    Example:
        >>> row = dict(fnr=0.055, fpr=0.032, recall=0.945, precision=0.967, auc=0.992, accuracy=float("nan"))
        >>> faces = dict(faces=4, pristine=2, fake=2, videos=2)
        >>> print(render_result_table({"clean": row, "faces": faces}, "ResNet-50 [1]"))
        ResNet-50 [1]
        <BLANKLINE>
        SR     FNR  FPR  Recall  Precision   AUC  Accuracy
        ──────────────────────────────────────────────────
        clean  5.5  3.2    94.5       96.7  99.2         –
        <BLANKLINE>
        4 faces of 2 videos: 2 pristine, 2 fake. Rates in %.
    """
    return plain_text(result_table(metrics, title, caption), width=WIDTH)


def print_result_table(
    metrics: Mapping[str, Any], title: str, caption: str | None = None, file: TextIO | None = None
) -> None:
    """Print a result's metrics: styled on a terminal, as plain text into a pipe or a file.

    Args:
        metrics: what `run_metrics` returns, or `read_metrics` reads.
        title: stands above, as it is.
        caption: stands below, as it is.
        file: where to; standard output unless told.
    """
    print_parts(result_table(metrics, title, caption), file=file, width=WIDTH)


def _rates(metrics: Mapping[str, Any]) -> Table:
    attacked = metrics.get("both") is not None and metrics.get("fake") is not None
    table = _table()
    if attacked:
        table.add_column("Setup", no_wrap=True)
    table.add_column("SR", no_wrap=True)
    for heading in HEADINGS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    if not attacked:
        table.add_row("clean", *_percentages(metrics["clean"]))
        return table
    for setup, (name, meaning) in SETUPS.items():
        table.add_row(name, "clean", *_percentages(metrics["clean"]))
        table.add_row(meaning, "attacked", *_percentages(metrics[setup]), end_section=True)
    return table


def _intervals(metrics: Mapping[str, Any]) -> Table:
    intervals, level = metrics["intervals"], metrics["bootstrap"]["level"]
    table = _table()
    table.add_column("Over videos", no_wrap=True)
    for name in WITH_INTERVAL:
        table.add_column(f"{HEADINGS[name]}, {level:.0%}", justify="right", no_wrap=True)
    for name in WITHOUT:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    rows = [("clean", metrics["clean"], intervals["clean"])]
    for setup in SETUPS:
        if metrics.get(setup) is not None:
            changes = metrics["changes"][setup], intervals["changes"][setup]
            rows += [(setup, metrics[setup], intervals[setup]), (f"{setup} change", *changes)]
    for name, values, around in rows:
        ends = [[_number(end, 1, 100) for end in around[figure]] for figure in WITH_INTERVAL]
        table.add_row(
            name,
            *(low if low == high == UNDEFINED else f"{low} to {high}" for low, high in ends),
            *(_number(values[figure], 1, 100) for figure in WITHOUT),
        )
    return table


def _beyond(metrics: Mapping[str, Any]) -> Table:
    """Rates at the chosen threshold, TPR at low FPR, and calibration."""
    table = _table()
    table.add_column("Beyond 0.5", no_wrap=True)
    for heading in ("FNR", "FPR", "TPR at FPR 1 %", "at 5 %", "ECE", "Brier"):
        table.add_column(heading, justify="right", no_wrap=True)
    for setup in ("clean", *SETUPS):
        values = metrics["calibration"].get(setup)
        if values is not None:
            rates = metrics["threshold"][setup]
            cells = [rates["fnr"], rates["fpr"], values["tpr_at_1"], values["tpr_at_5"]]
            table.add_row(
                setup,
                *(_number(value, 1, 100) for value in cells),
                *(_number(values[name], 3) for name in ("ece", "brier")),
            )
    return table


def _chosen(metrics: Mapping[str, Any]) -> str:
    threshold = metrics["threshold"]
    told = (
        f"FNR, FPR at {_number(threshold['value'], 3)}, chosen by {threshold['faces']} clean faces for validation "
        f"({threshold['rule']})."
        if threshold["faces"]
        else "No threshold: there are no faces for validation of both classes."
    )
    success = metrics.get("attack_success")
    return (
        told
        if success is None
        else f"{told} Of the fakes found clean, {_number(success, 1, 100)} % are missed attacked."
    )


def _tests(mcnemar: Mapping[str, Any]) -> str:
    shown = ", ".join(f"{rate.upper()} {_p(test['faces']['p_clustered'])}" for rate, test in mcnemar.items())
    return f"Exact McNemar test of the changes, by video: {shown}."


def _p(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return f"p {UNDEFINED}"
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.2g}"


def _similarity(similarity: Mapping[str, Any]) -> Table:
    table = _table()
    table.add_column("Clean to attacked", no_wrap=True)
    for heading in ("SSIM", "PSNR (dB)", "SSIM 224", "PSNR 224", "wrapped", "Identical"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, values in similarity.items():
        table.add_row(
            Text(name),
            *(_number(values[measure], 3 if "ssim" in measure else 1) for measure in SIMILARITY),
            str(values["identical"]),
        )
    return table


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold"
    )


def _counts(metrics: Mapping[str, Any]) -> str:
    faces = metrics["faces"]
    return (
        f"{faces['faces']} faces of {faces['videos']} videos: "
        f"{faces['pristine']} pristine, {faces['fake']} fake. Rates in %.{_undefined(faces)}"
    )


def _undefined(faces: Mapping[str, Any]) -> str:
    if faces["pristine"] and faces["fake"]:
        return ""
    absent, rate = ("fakes", "FNR, recall") if faces["pristine"] else ("pristine faces", "FPR")
    return f" Without {absent}, {rate}, AUC, EER and AP are undefined."


def _percentages(row: Mapping[str, float | None]) -> list[str]:
    return [_number(row[name], 1, 100) for name in HEADINGS]


def _number(value: float | None, decimals: int, factor: int = 1) -> str:
    return number(value, decimals, factor) or UNDEFINED
