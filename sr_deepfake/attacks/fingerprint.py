"""What an attack's result depends on, besides the face: settings, weights, code, libraries, arithmetic."""

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

from sr_deepfake.errors import UserError
from sr_deepfake.super_resolution.precision import fast_dtype

# Raised when functions that attacks share compute something else. What their classes compute shows by itself.
ATTACKS_VERSION = 1


def describe_attack(attack: nn.Module, settings: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Say all that the result of an attack depends on, besides the face.

    Args:
        attack: the attack, with its weights.
        settings: the attack's settings as plain values (what JSON can hold). Some show nowhere else, as
            EDSR's residual scale. File names of weights need not be in them: the weights themselves are read.
        device: where the attack runs. Its type and its fast number format count, since `precision="auto"`
            computes in it.

    Returns:
        Plain values, to be hashed by `fingerprint_of` and to be read by people.

    Raises:
        UserError: the code of one of the attack's classes cannot be read.

    Example:
        >>> from sr_deepfake.attacks.identity import Identity
        >>> description = describe_attack(Identity(), {"strength": 3}, torch.device("cpu"))
        >>> sorted(description)
        ['code', 'device', 'fast_format', 'libraries', 'settings', 'version', 'weights']
        >>> sorted(description["code"])
        ['sr_deepfake.attacks.identity.Identity']
    """
    return {
        "settings": dict(settings),
        "weights": _hash_of_weights(attack),
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


def _hash_of_weights(attack: nn.Module) -> str:
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
