"""Checks of the number that says how strong an attack is."""

import math
from collections.abc import Sequence
from typing import Any

from sr_deepfake.errors import UserError


def whole_number(value: Any, option: str, low: int, high: int) -> int:
    """Return `value`, a whole number in [`low`, `high`].

    Raises:
        UserError: it is not; the message names the option.

    Example:
        >>> whole_number(35, "attack.quality", 1, 100)
        35
        >>> whole_number(0, "attack.quality", 1, 100)
        Traceback (most recent call last):
        sr_deepfake.errors.UserError: attack.quality=0: this is a whole number from 1 to 100
    """
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UserError(f"{option}={value}: this is a whole number from {low} to {high}")
    return value


def number(value: Any, option: str, above: float, high: float) -> float:
    """Return `value`, a number greater than `above` and not greater than `high`.

    Raises:
        UserError: it is not; the message names the option.

    Example:
        >>> number(1.5, "attack.sigma", 0, 100)
        1.5
        >>> number(-1, "attack.sigma", 0, 100)
        Traceback (most recent call last):
        sr_deepfake.errors.UserError: attack.sigma=-1: this is a number above 0, 100 at most
    """
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not known or not above < value <= high:
        raise UserError(f"{option}={value}: this is a number above {above:g}, {high:g} at most")
    return float(value)


def of_severity(value: Any, severity: Any, values: Sequence[float], option: str) -> Any:
    """Return `value`, or where it is None what stands for a severity of 1 to 5.

    Args:
        value: as given, or None.
        severity: 1 (mild) to 5 (severe).
        values: for each severity, from 1 on.
        option: that sets the value itself.

    Raises:
        UserError: there is no such severity.

    Example:
        >>> of_severity(None, 2, (25, 18, 15, 10, 7), "attack.quality")
        18
        >>> of_severity(60, 2, (25, 18, 15, 10, 7), "attack.quality")
        60
    """
    if value is not None:
        return value
    if not isinstance(severity, int) or isinstance(severity, bool) or not 1 <= severity <= len(values):
        known = ", ".join(str(number + 1) for number in range(len(values)))
        raise UserError(f"attack.severity={severity}: it is one of {known}; or set {option} itself")
    return values[severity - 1]
