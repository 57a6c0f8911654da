"""Detectors that a Python function returns."""

import importlib
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from sr_deepfake.attacks.fingerprint import hash_of_weights
from sr_deepfake.detectors.external.opened import Opened
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import digest, file_digest


def open_python(path: str, size: int | None = None, factory: str | None = None) -> Opened:
    """Call a function without arguments, which returns a module, or a callable: float32 faces B×3×S×S → B, B×1 or B×2 scores.

    `path` is "package.module:function", or "file.py:function". It is code, and it is run.
    """
    function = load_function(path)
    try:
        made = function()
    except Exception as error:
        raise UserError(f"model.factory={path} failed: {type(error).__name__}: {str(error).strip()}") from error
    if not callable(made):
        raise UserError(
            f"model.factory={path} returned {type(made).__name__}; it must return a module, or a callable on faces"
        )
    parts = [_hash_of_source(function), _hash_of_source(made if inspect.isfunction(made) else type(made))]
    owner = getattr(made, "__self__", made)  # of a method
    cells = [cell.cell_contents for cell in getattr(made, "__closure__", None) or () if cell != types.CellType()]
    held = [owner, *getattr(owner, "__dict__", {}).values(), *cells]
    weights = [hash_of_weights(module) for module in held if isinstance(module, nn.Module)]
    note = "" if weights else "a function without weights that are seen: its source alone tells it from others"
    return Opened(made, digest([*parts, *weights]), {"size": None}, "model=python", note=note)


def _hash_of_source(thing: Any) -> str:
    try:
        return file_digest(Path(inspect.getfile(thing)))
    except (OSError, TypeError):  # made in a shell, or built in
        return repr(thing)


def load_function(name: str) -> Callable[..., Any]:
    """The function that "package.module:function" or "file.py:function" names."""
    path, _, attribute = name.rpartition(":")
    if not path or not attribute.isidentifier():
        raise UserError(f"model.factory={name}: expected package.module:function, or file.py:function")
    try:
        module = _of_file(Path(path).expanduser()) if path.endswith(".py") else importlib.import_module(path)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"model.factory={name}: {path} cannot be imported ({type(error).__name__}: {error})") from error
    function: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(function):
        raise UserError(f"model.factory={name}: {path} has no function {attribute}")
    return function


def _of_file(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"model.factory: the file {path} is missing")
    name = f"sr_deepfake_own_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"model.factory: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
