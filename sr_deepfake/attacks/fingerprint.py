"""Fingerprint of an attack: settings, weights, code, libraries, arithmetic."""

import functools
import hashlib
import importlib.metadata
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.hardware import fast_dtype

# Raised when functions that attacks share compute something else. What their classes compute shows by itself.
ATTACKS_VERSION = 2


def describe_attack(attack: nn.Module, device: torch.device) -> dict[str, Any]:
    """Say all that the result of an attack depends on, besides the face.

    Args:
        attack: the attack, with its weights. Plain attributes of its modules are its settings (numbers, text, true and
            false, lists of these), unless their name starts with an underscore. Where weights lie is none of them.
        device: where the attack runs. Its type and its fast number format count, since `precision="auto"`
            computes in it.

    Returns:
        Plain values, to be hashed by `fingerprint_of` and to be read by people.

    Raises:
        UserError: the code of one of the attack's classes cannot be read.

    Example:
        >>> from sr_deepfake.attacks.corruptions import BlurAttack
        >>> description = describe_attack(BlurAttack(sigma=2.0), torch.device("cpu"))
        >>> sorted(description)
        ['code', 'device', 'fast_format', 'libraries', 'name', 'settings', 'version', 'weights']
        >>> sorted(description["code"])
        ['sr_deepfake.attacks.corruptions.BlurAttack']
        >>> description["settings"]
        {'': {'sigma': 2.0, 'strength': 's2'}}
    """
    return {
        "name": getattr(attack, "name", type(attack).__name__),
        "settings": _settings(attack),
        "weights": hash_of_weights(attack),
        "code": _code(attack),
        "version": ATTACKS_VERSION,
        "libraries": _versions(),
        "device": device.type,
        "fast_format": str(fast_dtype(device)),
    }


def fingerprint_of(description: Mapping[str, Any]) -> str:
    """Hash a description: 64 hexadecimal digits that differ when anything in it differs.

    Example:
        >>> fingerprint_of({"a": 1, "b": 2}) == fingerprint_of({"b": 2, "a": 1})
        True
        >>> fingerprint_of({"a": 1}) == fingerprint_of({"a": 1.5})
        False
    """
    canonical = json.dumps(description, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def weights_digits(network: nn.Module) -> str:
    """Eight hexadecimal digits of a network's weights and settings; "" where it has no weights.

    Example:
        >>> weights_digits(nn.Identity()), len(weights_digits(nn.Conv2d(1, 1, 1)))
        ('', 8)
    """
    if next(network.parameters(), None) is None:
        return ""
    return fingerprint_of({"weights": hash_of_weights(network), "settings": _settings(network)})[:8]


def _settings(attack: nn.Module) -> dict[str, dict[str, Any]]:
    """The plain attributes of all modules that are not torch's own, by the modules' names."""
    found = {}
    for name, module in attack.named_modules():
        if type(module).__module__.split(".")[0] == "torch":
            continue
        plain = {key: value for key, value in vars(module).items() if key[0] != "_" and _is_plain(value)}
        plain.pop("training")
        if plain:
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
    """Hash the files that define the attack's classes, torch's own aside, which its version stands for.

    So that an attack that is still being written never meets what its last version made.
    """
    hashes: dict[str, str] = {}
    for kind in {type(module) for module in attack.modules()}:
        if kind.__module__.split(".")[0] == "torch":
            continue
        name = f"{kind.__module__}.{kind.__qualname__}"
        try:
            hashes[name] = _hash_of_file(inspect.getfile(kind))
        except (OSError, TypeError):  # made in a notebook or a shell
            raise UserError(
                f"the code of the attack's {name} is in no file, so that its faces cannot be told from those of "
                "another version; put it into a module, or keep no attacked faces with cache.attacked=false"
            ) from None
    return hashes


@functools.cache
def _hash_of_file(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    """Versions of what computes: another one may round in another way, or compress in another way."""
    return {
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": importlib.metadata.version("pillow"),
        "av": importlib.metadata.version("av"),
    }
