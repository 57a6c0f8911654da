"""Figures in words, in one notation wherever they are shown: `5.5`, `−5.0 [−6.9, 0.0]`, `p = 0.031`."""

import math

from sr_deepfake.metrics.figures import Figure

UNDEFINED = "–"
HEADINGS = {
    "fnr": "FNR", "fpr": "FPR", "recall": "Recall", "precision": "Precision", "auc": "AUC", "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced acc.", "eer": "EER", "ap": "AP", "tpr_at_1": "TPR at FPR 1 %",
    "tpr_at_5": "TPR at FPR 5 %", "ece": "ECE", "brier": "Brier", "attack_success": "Success",
}  # fmt: skip
TABLE = ("fnr", "fpr", "recall", "precision", "auc", "accuracy")  # the paper's columns
CHANGED = ("fnr", "fpr", "auc")  # whose changes are shown
LOWER_IS_BETTER = ("fnr", "fpr", "eer", "ece", "brier", "attack_success")
_UNITS = {"%": (100, 1, False), "points": (100, 1, True), "dB": (1, 1, False), "": (1, 3, False), "r": (1, 2, True)}


def show(value: float | None, unit: str = "%", interval: tuple[float, float] | None = None) -> str:
    """A figure in words, with its interval.

    >>> show(0.0549), show(-0.05, "points", (-0.069, 0.0001)), show(None), show(0.9731, "")
    ('5.5', '−5.0 [−6.9, 0.0]', '–', '0.973')
    """
    if value is None or not math.isfinite(value):
        return UNDEFINED
    factor, decimals, signed = _UNITS[unit]
    ends = [value, *(interval or ())]
    words = [decimal(end * factor, decimals, signed) for end in ends]
    return words[0] if interval is None else f"{words[0]} [{words[1]}, {words[2]}]"


def show_value(figure: Figure, unit: str = "%") -> str:
    """A figure with its interval."""
    return show(figure.value, unit, figure.interval)


def show_change(figure: Figure) -> str:
    """What the attack changed, in points, with its interval."""
    return show(figure.change, "points", figure.change_interval)


def decimal(value: float, decimals: int, signed: bool) -> str:
    """A number with a minus, and none before a 0."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def stars(p: float | None) -> str:
    """Marks of a p-value.

    >>> stars(0.2), stars(0.03), stars(0.0002), stars(None)
    ('', '*', '***', '')
    """
    return "" if p is None else "*" * sum(p < level for level in (0.05, 0.01, 0.001))


def p_value(p: float | None) -> str:
    """A p-value in words.

    >>> p_value(0.0312), p_value(2e-9), p_value(None)
    ('0.031', '< 0.001', '–')
    """
    if p is None:
        return UNDEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def heading(metric: str) -> str:
    """A metric's heading with the direction that is better, as in the paper."""
    return f"{HEADINGS[metric]} {'↓' if metric in LOWER_IS_BETTER else '↑'}"
