"""Detectors that a Python function returns."""

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sr_deepfake.attacks.fingerprint import hash_of_weights
from sr_deepfake.detectors.external.base import ExternalDetector, Opened
from sr_deepfake.system.errors import UserError

_typed: set[str] = set()  # factories that the user of this process named


class PythonDetector(ExternalDetector):
    """What a function without arguments returns: a module, or a callable on faces.

    It gets float32 faces B×3×S×S, by default RGB in [0, 1] at their own size, and returns B scores, B×1 or B×2.

    Args:
        factory: "package.module:function", or "file.py:function". It is code, and it is run: it has to be typed, and is
            not taken from a folder.
        stored: whether it comes from a folder of a detector.
        **options: see `ExternalDetector`.
    """

    def __init__(self, factory: str, stored: bool = False, **options: Any) -> None:
        if stored and factory not in _typed:
            raise UserError(
                f"this detector is the Python function {factory}, which is code and not run because a folder names it. "
                f"Type it: model=python model.factory={factory}"
            )
        _typed.add(factory)
        super().__init__(factory, **options)

    def open(self, path: str) -> Opened:
        """Call the function."""
        function = load_function(path)
        try:
            made = function()
        except Exception as error:
            raise UserError(
                f"model.factory={path} failed: {type(error).__name__}: {str(error).strip()}"
            ) from error
        if not callable(made):
            raise UserError(
                f"model.factory={path} returned {type(made).__name__}; it returns a module, or a callable on faces"
            )
        digest = hashlib.sha256()
        for thing in (function, made if inspect.isfunction(made) else type(made)):
            try:
                digest.update(Path(inspect.getfile(thing)).read_bytes())
            except (OSError, TypeError):  # made in a shell, or built in
                digest.update(repr(thing).encode())
        if isinstance(made, nn.Module):
            digest.update(hash_of_weights(made).encode())
        network: Callable[[Tensor], Any] = made
        return Opened(network, digest.hexdigest(), {"size": None}, "model=python")


def load_function(name: str) -> Callable[[], Any]:
    """The function that "package.module:function" or "file.py:function" names.

    Raises:
        UserError: there is none.

    >>> load_function("platform:machine")() != ""
    True
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute.isidentifier():
        raise UserError(
            f"model.factory={name} is no function: it is package.module:function, or file.py:function"
        )
    try:
        module = (
            _of_file(Path(place).expanduser()) if place.endswith(".py") else importlib.import_module(place)
        )
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"model.factory={name}: {place} cannot be imported ({type(error).__name__}: {error})"
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise UserError(f"model.factory={name}: {place} has no function {attribute}")
    found: Callable[[], Any] = function
    return found


def _of_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"model.factory: the file {path} is missing")
    name = f"sr_deepfake_own_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"model.factory: {path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
