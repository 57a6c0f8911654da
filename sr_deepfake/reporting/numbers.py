"""Figures in words: percentages, changes, intervals, p-values; the same wherever they stand."""

import math

from sr_deepfake.reporting.published import MODEL_NAMES

UNDEFINED = "–"


HEADINGS = {
    "fnr": "FNR",
    "fpr": "FPR",
    "recall": "Recall",
    "precision": "Precision",
    "auc": "AUC",
    "accuracy": "Accuracy",
}


# The figures whose intervals are shown, and those that are shown beside them; metrics.json has all.
WITH_INTERVAL, WITHOUT = ("fnr", "fpr", "auc"), ("eer", "ap")


def number(value: float | None, decimals: int, factor: int = 1) -> str | None:
    """A figure in words; None where it is undefined.

    Example:
        >>> number(0.0549, 1, 100), number(float("nan"), 3)
        ('5.5', None)
    """
    if value is None or not math.isfinite(value):
        return None
    return f"{value * factor:.{decimals}f}"


def percent(value: float | None) -> str:
    """A fraction in %, one decimal.

    Example:
        >>> percent(0.1234), percent(None)
        ('12.3', '–')
    """
    return "–" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def points(value: float) -> str:
    """A change of a fraction in percentage points, with its sign.

    Example:
        >>> points(0.108), points(-0.05), points(-0.0001)
        ('+10.8', '−5.0', '0.0')
    """
    shown = f"{100 * value:+.1f}"
    return "0.0" if float(shown) == 0 else shown.replace("-", "−")


def interval_words(interval: tuple[float, float] | None) -> str:
    """An interval of a change in percentage points.

    Example:
        >>> interval_words((-0.011, 0.052))
        '−1.1 to +5.2'
    """
    return "no interval" if interval is None else f"{points(interval[0])} to {points(interval[1])}"


RISES = {"fnr": "↓", "fpr": "↓"}  # the better direction; up for the others


LEVELS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


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
