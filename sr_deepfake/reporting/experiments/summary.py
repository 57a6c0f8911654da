"""Shared by the experiments' summaries: rates of results, and their table and figure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.reporting.figures.style import ReportFigure
from sr_deepfake.reporting.numbers import number, signed
from sr_deepfake.reporting.table import ReportTable

RATES = ("fnr", "fpr", "auc")
_HEADINGS = {
    "model": "Model", "trained_on": "Trained on", "tested_on": "Tested on", "defence": "Defence", "attack": "Attack",
    "network": "Network", "scale": "K", "in_training": "In training", "side": "Side (px)", "pristine": "Pristine",
    "fake": "Fake", "detectors": "Detectors", "ssim": "SSIM", "psnr": "PSNR (dB)",
}  # fmt: skip
_DECIMALS = {"ssim": 3, "psnr": 1}
_WORDS = ("model", "trained_on", "tested_on", "defence", "attack", "network", "in_training", "side")


@dataclass(frozen=True)
class Summary:
    """An experiment's table and figure.

    Attributes:
        title: what the table shows.
        table: numbers; rates are fractions, NaN is undefined. The columns have the names of `Result` and `rates`.
        figure: of a paper column's width.
        remarks: how to read it.
    """

    title: str
    table: pd.DataFrame
    figure: Figure
    remarks: Sequence[str] = field(default_factory=tuple)

    def as_table(self, name: str, illustration: str | None) -> ReportTable:
        """The table as a report shows it: rates in %, changes with their sign."""
        columns = [str(column) for column in self.table.columns]
        rows = [
            [_shown(column, value) for column, value in zip(columns, row, strict=True)]
            for row in self.table.to_numpy(dtype=object)
        ]
        words = [column in _WORDS for column in columns]
        return ReportTable(
            name=name,
            title=self.title,
            columns=[_heading(column) for column in columns],
            rows=rows,
            caption=illustration or "",
            text_columns=words.index(False) if False in words else len(words),
            remarks=list(self.remarks),
        )

    def as_figure(self, name: str) -> ReportFigure:
        """The figure as a report shows it."""
        return ReportFigure(name, self.title, " ".join(self.remarks), self.figure)


def rates(predictions: pd.DataFrame) -> dict[str, float]:
    """FNR, FPR and AUC: clean, with all faces attacked (the paper's table 1), and the difference.

    Args:
        predictions: the table of predictions, or the part of it that counts.

    Returns:
        `fnr_clean`, `fnr_attacked`, `fnr_change`, the same for `fpr` and `auc`: fractions. NaN without faces or
        without faces of a class; what is attacked is NaN where no face was.

    Example:
        >>> faces = pd.DataFrame({"label": [1, 0], "score": [0.9, 0.1], "score_attacked": [0.4, 0.2]})
        >>> {name: value for name, value in rates(faces).items() if name.startswith("fnr")}
        {'fnr_clean': 0.0, 'fnr_attacked': 1.0, 'fnr_change': 1.0}
    """
    clean = attacked = dict.fromkeys(RATES, float("nan"))
    if len(predictions):
        clean = classification_metrics(setup_scores(predictions, "clean"), predictions["label"])
        if predictions["score_attacked"].notna().all():
            attacked = classification_metrics(setup_scores(predictions, "both"), predictions["label"])
    row: dict[str, float] = {}
    for name in RATES:
        row |= {f"{name}_clean": clean[name], f"{name}_attacked": attacked[name]}
        row[f"{name}_change"] = attacked[name] - clean[name]
    return row


def _shown(column: str, value: object) -> str | None:
    rate, _, rest = column.partition("_")
    if column in _DECIMALS and isinstance(value, float):
        return number(value, _DECIMALS[column])
    if rate in RATES and isinstance(value, float):
        return signed(value, 1, 100) if rest == "change" and value == value else number(value, 1, 100)
    return str(value)


def _heading(column: str) -> str:
    rate, _, rest = column.partition("_")
    return f"{rate.upper()} {rest}" if rate in RATES else _HEADINGS.get(column, column)


def options_of(results: Sequence[Result], attribute: str) -> list[str]:
    """The different values that an attribute has among results, in their order."""
    return list(dict.fromkeys(str(getattr(result, attribute)) for result in results))


def detectors_named(results: Sequence[Result]) -> str:
    """The detectors of results in words, such as "swin on Deepfakes"."""
    models, methods = options_of(results, "model"), options_of(results, "trained_on")
    return f"{', '.join(models)} on {', '.join(methods)}"
