"""Checks of the number that says how strong an attack is."""

import math
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
    _refuse_none(value, option)
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
    _refuse_none(value, option)
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not known or not above < value <= high:
        raise UserError(f"{option}={value}: this is a number above {above:g}, {high:g} at most")
    return float(value)


def _refuse_none(value: Any, option: str) -> None:
    if value is None:  # the configuration's table of severities has no such one
        raise UserError(
            f"{option} has no value: attack.severity is one of 1, 2, 3, 4, 5; or set {option} itself"
        )
