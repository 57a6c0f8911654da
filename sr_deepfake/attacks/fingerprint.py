"""Fingerprint of an attack: settings, weights, code, libraries, arithmetic."""

import ast
import functools
import hashlib
import importlib.metadata
import inspect
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import digest
from sr_deepfake.system.hardware import fast_dtype

_PACKAGE = Path(__file__).resolve().parents[1]


def describe_attack(attack: nn.Module, device: torch.device) -> dict[str, Any]:
    """Say all that the result of an attack depends on, besides the face."""
    return {
        "name": getattr(attack, "name", type(attack).__name__),
        "settings": _settings(attack),
        "weights": hash_of_weights(attack),
        "code": _code(attack),
        "libraries": {  # another version may round in another way, or compress in another way
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            "pillow": importlib.metadata.version("pillow"),
            "av": importlib.metadata.version("av"),
        },
        "device": device.type,
        "fast_format": str(fast_dtype(device)),
    }


def weights_digits(network: nn.Module) -> str:
    """Eight hexadecimal digits of a network's weights and settings; "" where it has no weights."""
    if next(network.parameters(), None) is None:
        return ""
    return digest({"weights": hash_of_weights(network), "settings": _settings(network)})[:8]


def _settings(attack: nn.Module) -> dict[str, dict[str, Any]]:
    """The plain attributes of all modules that are not torch's own, by the modules' names."""
    found = {}
    for name, module in attack.named_modules():
        plain = {key: value for key, value in vars(module).items() if key[0] != "_" and _is_plain(value)}
        plain.pop("training", None)
        if plain and not _is_torchs(module):
            found[name] = plain
    return found


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def hash_of_weights(attack: nn.Module) -> str:
    """Hash names, types, shapes and bytes of all tensors: of buffers too that a state_dict leaves out."""
    digest = hashlib.sha256()
    for name, tensor in sorted({**dict(attack.named_parameters()), **dict(attack.named_buffers())}.items()):
        values = tensor.detach().cpu().contiguous().reshape(-1)  # whatever its device and memory format
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _code(attack: nn.Module) -> dict[str, str]:
    """Hash the code that the attack's classes use, torch's own aside, which its version stands for."""
    hashes: dict[str, str] = {}
    for kind in {type(module) for module in attack.modules() if not _is_torchs(module)}:
        name = f"{kind.__module__}.{kind.__qualname__}"
        try:
            hashes[name] = hash_of_code(Path(inspect.getfile(kind)))
        except (OSError, TypeError):  # made in a notebook or a shell
            raise UserError(
                f"the code of the attack's {name} is in no file, so that its faces could be mistaken for those of another "
                "version; put it into a module, or keep no attacked faces with cache.attacked=false"
            ) from None
    return hashes


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.split(".")[0] == "torch"


def hash_of_code(path: Path) -> str:
    """Hash what a file and the files next to it that it imports, directly or not, compute."""
    found: dict[Path, str] = {}
    waiting = [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file], imports = _parsed(file, file.stat().st_mtime_ns)
            waiting += [other for name in imports for other in _files_of(name, file)]
    return digest(sorted(found.values()))


@functools.lru_cache(maxsize=256)
def _parsed(path: Path, changed: int) -> tuple[str, frozenset[str]]:
    """A file's code without docstrings, hashed, and the names of modules that it may import."""
    tree = ast.parse(path.read_bytes())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del node.body[0]  # type: ignore[attr-defined]
    return digest(ast.dump(tree)), frozenset(names)


def _files_of(name: str, importer: Path) -> list[Path]:
    """The file of a module, if it is of this package or lies next to the importer."""
    parts = name.split(".")
    folder = _PACKAGE.parent if parts[0] == _PACKAGE.name else importer.parent
    module = folder.joinpath(*parts)
    return [file.resolve() for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file()]
