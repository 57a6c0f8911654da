"""What an experiment comes to: a table and a figure, made of the predictions of its cells."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pandas as pd
from matplotlib.figure import Figure
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sr_deepfake.files import replacing
from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.reporting.figures import save_figure
from sr_deepfake.reporting.table import UNDEFINED, print_parts

RATES = ("fnr", "fpr", "auc")
_HEADINGS = {
    "model": "Model", "trained_on": "Trained on", "tested_on": "Tested on", "defence": "Defence", "attack": "Attack",
    "network": "Network", "scale": "K", "in_training": "In training", "side": "Side (px)", "pristine": "Pristine",
    "fake": "Fake", "detectors": "Detectors", "ssim": "SSIM", "psnr": "PSNR (dB)",
}  # fmt: skip
_DECIMALS = {"ssim": 3, "psnr": 1}


@dataclass(frozen=True)
class Result:
    """One cell of an experiment, and its predictions.

    Attributes:
        model: short name.
        trained_on: the forgery method that the detector learned to find.
        tested_on: the one whose fakes it is tested on.
        attack: label of the attack.
        network: what enlarges in the attack: an SR network or an interpolation; the attack's name otherwise.
        scale: K.
        defence: what was in the training, "none" or such as "sr-edsr-x2 p=0.5".
        predictions: the table of predictions; None where the cell is missing.
    """

    model: str
    trained_on: str
    tested_on: str
    attack: str
    network: str = ""
    scale: int = 1
    defence: str = "none"
    predictions: pd.DataFrame | None = None


@dataclass(frozen=True)
class Missing:
    """A cell without results.

    Attributes:
        command: that makes them.
        reason: why they are missing, where that is known.
    """

    command: str
    reason: str = ""


@dataclass(frozen=True)
class Summary:
    """An experiment's table and figure.

    Attributes:
        title: what the table shows.
        table: numbers; rates are fractions, NaN is what is undefined or missing. The columns have the names of
            `Result` and `rates`.
        figure: of a paper column's width.
        remarks: how to read it.
    """

    title: str
    table: pd.DataFrame
    figure: Figure
    remarks: Sequence[str] = field(default_factory=tuple)


def rates(predictions: pd.DataFrame | None) -> dict[str, float]:
    """FNR, FPR and AUC of a cell: clean, with all faces attacked (the paper's table 1), and the difference.

    Args:
        predictions: the table of predictions, or the part of it that counts; None for a missing cell.

    Returns:
        `fnr_clean`, `fnr_attacked`, `fnr_change`, the same for `fpr` and `auc`: fractions, all NaN without
        predictions; NaN too for a class without faces, and what is attacked where no face was.

    Example:
        >>> faces = pd.DataFrame({"label": [1, 0], "score": [0.9, 0.1], "score_attacked": [0.4, 0.2]})
        >>> {name: value for name, value in rates(faces).items() if name.startswith("fnr")}
        {'fnr_clean': 0.0, 'fnr_attacked': 1.0, 'fnr_change': 1.0}
    """
    undefined = dict.fromkeys(RATES, float("nan"))
    clean = attacked = undefined
    if predictions is not None and len(predictions):
        clean = classification_metrics(setup_scores(predictions, "clean"), predictions["label"])
        if predictions["score_attacked"].notna().all():
            attacked = classification_metrics(setup_scores(predictions, "both"), predictions["label"])
    row: dict[str, float] = {}
    for name in RATES:
        row |= {f"{name}_clean": clean[name], f"{name}_attacked": attacked[name]}
        row[f"{name}_change"] = attacked[name] - clean[name]
    return row


def as_words(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table's headings and cells as they are shown: rates in %, changes with their sign.

    Example:
        >>> as_words(pd.DataFrame({"network": ["edsr"], "fnr_clean": [0.0541], "fnr_change": [0.3]})).values.tolist()
        [['edsr', '5.4', '+30.0']]
    """
    words = {}
    for name in table.columns:
        cells = table[name]
        if name in _DECIMALS:
            shown = [_number(value, f".{_DECIMALS[name]}f") for value in cells]
        elif name.split("_")[0] in RATES:
            form = "+.1f" if name.endswith("_change") else ".1f"
            shown = [_number(value * 100, form) for value in cells]
        else:
            shown = [str(value) for value in cells]
        words[_heading(name)] = shown
    return pd.DataFrame(words, dtype=str)


def _heading(name: str) -> str:
    rate, _, rest = name.partition("_")
    return f"{rate.upper()} {rest}" if rate in RATES else _HEADINGS.get(name, name)


def _number(value: float, form: str) -> str:
    return UNDEFINED if pd.isna(value) else format(value, form)


def render_markdown(summary: Summary, caption: str | None = None, missing: Sequence[Missing] = ()) -> str:
    """Return the table as Markdown, with what is to be said about it.

    Args:
        summary: of the experiment.
        caption: stands below the title; says that figures are illustrations where they are.
        missing: the cells that the table lacks.
    """
    words = as_words(summary.table)
    numeric = [not words[name].map(is_name).any() for name in words]
    lines = [f"# {summary.title}", ""]
    if caption:
        lines += [f"*{caption.strip()}*", ""]
    lines.append("| " + " | ".join(words.columns) + " |")
    lines.append("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    lines += ["| " + " | ".join(row).replace("\n", " ") + " |" for row in words.to_numpy().tolist()]
    lines += ["", *[f"- {remark}" for remark in summary.remarks], ""]
    lines += ["![The figure](figure.png)", ""]
    if missing:
        lines += [_count(missing), "", "```", *_commands(missing), "```", ""]
    return "\n".join(lines)


def is_name(word: str) -> bool:
    """Whether a cell of `as_words` is a word, and neither a number nor undefined.

    Example:
        >>> is_name("edsr"), is_name("-10.0")
        (True, False)
    """
    return word != UNDEFINED and not word.lstrip("+-").replace(".", "", 1).isdigit()


def _count(missing: Sequence[Missing]) -> str:
    return f"{len(missing)} cell(s) are missing, shown as {UNDEFINED} or left out of means. They are made by:"


def _commands(missing: Sequence[Missing]) -> list[str]:
    lines = []
    for cell in missing:
        lines += ([f"# {cell.reason}"] if cell.reason else []) + [cell.command]
    return lines


def print_summary(
    summary: Summary,
    caption: str | None = None,
    missing: Sequence[Missing] = (),
    file: TextIO | None = None,
) -> None:
    """Print the table: styled on a terminal, as plain text into a pipe or a file.

    Args:
        summary: of the experiment.
        caption: stands below.
        missing: the cells that the table lacks.
        file: where to; standard output unless told.
    """
    target = sys.stdout if file is None else file
    words = as_words(summary.table)
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="bold"
    )
    for name in words.columns.astype(str):
        table.add_column(name, no_wrap=True, justify="left" if words[name].map(is_name).any() else "right")
    for row in words.to_numpy().tolist():
        table.add_row(*(Text(word) for word in row))
    parts: list[RenderableType] = [Text(summary.title, style="bold"), Text(), table, Text()]
    parts += [Text(remark) for remark in summary.remarks]
    if caption:
        parts.append(Text(caption.strip(), style="italic"))
    print_parts(*parts, file=target)
    if missing:
        print("\n" + _count(missing), *[f"  {line}" for line in _commands(missing)], sep="\n", file=target)


def write_summary(
    folder: Path, summary: Summary, caption: str | None = None, missing: Sequence[Missing] = ()
) -> list[Path]:
    """Write `table.csv` (numbers as they are), `table.md`, `figure.png` and `figure.svg`.

    Args:
        folder: where to; made if need be.
        summary: of the experiment.
        caption: for the Markdown, and on the figure's lower edge.
        missing: the cells that the table lacks.

    Returns:
        The files.
    """
    with replacing(folder / "table.csv") as beside:
        summary.table.to_csv(beside, index=False)
    with replacing(folder / "table.md") as beside:
        beside.write_text(render_markdown(summary, caption, missing), encoding="utf-8")
    return [
        folder / "table.csv",
        folder / "table.md",
        *save_figure(summary.figure, folder / "figure", caption),
    ]


def options_of(results: Sequence[Result], attribute: str) -> list[str]:
    """The different values that an attribute has among results, in the order in which they come.

    Example:
        >>> options_of([Result("swin", "B", "B", "none"), Result("swin", "A", "A", "none")], "trained_on")
        ['B', 'A']
    """
    return list(dict.fromkeys(str(getattr(result, attribute)) for result in results))


def detectors_named(results: Sequence[Result]) -> str:
    """Say in words which detectors results are of.

    Example:
        >>> detectors_named([Result("swin", "Deepfakes", "Deepfakes", "none")])
        'swin on Deepfakes'
    """
    models, methods = options_of(results, "model"), options_of(results, "trained_on")
    return f"{', '.join(models)} on {', '.join(methods)}"
