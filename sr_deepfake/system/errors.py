"""Errors that a user can fix: they are shown as one message, without a traceback."""

from collections.abc import Iterable


class UserError(Exception):
    """Something that the user can fix; the message says what is wrong and what to do."""


class MissingWeightsError(UserError):
    """Weights of a super-resolution network are neither here nor to be had."""


class SourceError(Exception):
    """A photo or video that cannot be read: the reason in a word or two ("truncated"), and what exactly was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def choose(value: object, choices: Iterable[str], option: str) -> str:
    """Return `value` as one of `choices`, as written in a configuration (true and false count as words).

    >>> choose(True, ["auto", "true", "false"], "model.pretrained")
    'true'
    >>> choose("atuo", ["auto", "none"], "key")
    Traceback (most recent call last):
    sr_deepfake.system.errors.UserError: key='atuo' is not a choice. Choices: auto, none.
    """
    known = list(choices)
    word = str(value).lower() if isinstance(value, bool) else str(value)
    if word not in known:
        raise UserError(f"{option}={word!r} is not a choice. Choices: {', '.join(known)}.")
    return word


def last_line(error: BaseException) -> str:
    """What an error says, in one line: the message alone of one that the user can fix, else with its type."""
    text = (str(error).strip().splitlines() or [""])[0]
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}".removesuffix(": ")
