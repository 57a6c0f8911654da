"""Weights of super-resolution networks: finding the file, reading it safely, refusing what does not fit."""

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sr_deepfake.errors import UserError

OPTION = "sr_model.weights=FILE"
_FOLDER = Path(__file__).with_name("weights")
# basicsr stores a network below one of these names; the averaged weights are the better ones.
_WRAPPERS = ("params_ema", "params")
_SIGNS_OF_CODE = ("GLOBAL", "Unsupported", "class")  # in torch's message when it meets more than tensors


def find_weights(weights: str | None, bundled: str, network: str) -> Path:
    """Return the file that a network's weights are read from.

    Args:
        weights: a file of the user's own; None takes the one that comes with the package.
        bundled: name that the package's file has if there is one.
        network: what the network is called in messages.

    Raises:
        UserError: the file does not exist, or the package brings none for this network.

    Example:
        >>> find_weights(None, "edsr_baseline_x2.safetensors", "EDSR").name
        'edsr_baseline_x2.safetensors'
    """
    if weights is not None:
        path = Path(weights).expanduser()
        if not path.is_file():
            raise UserError(f"no weights file at {path}; name one that exists with {OPTION}")
        return path
    path = _FOLDER / bundled
    if not path.is_file():
        raise UserError(f"no weights come with the package for {network}; name a file of them with {OPTION}")
    return path


def load_weights(network: nn.Module, path: Path, name: str) -> None:
    """Copy the weights of a file into a network, which keeps its own number format.

    Args:
        network: receives the weights; every one of its tensors must be in the file, and no other.
        path: safetensors, or a PyTorch file of tensors only (bare, or below `params_ema` or `params`).
        name: what the network is called in messages.

    Raises:
        UserError: in one line that names the file: not a weights file, damaged, with code in it, of another
            network, or with NaN or infinite numbers in it.
    """
    state = read_weights(path)
    mismatch = _first_mismatch(network.state_dict(), state)
    if mismatch:
        raise UserError(
            f"{path} does not hold weights of {name}: {mismatch}; name another file with {OPTION}"
        )
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{path} is damaged: its tensor {key!r} holds NaN or infinite numbers; "
                f"name another file with {OPTION}"
            )
    network.load_state_dict(state, strict=True)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a weights file; nothing in the file is ever run.

    Args:
        path: safetensors, or a PyTorch file of tensors only (bare, or below `params_ema` or `params`). The
            content tells which, not the name.

    Raises:
        UserError: in one line that names the file and says why it was refused.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise UserError(
            f"the weights file {path} cannot be read ({error.strerror}); name another with {OPTION}"
        ) from None
    is_pytorch = start.startswith((b"PK\x03\x04", b"\x80"))
    content = _read_pytorch(path) if is_pytorch else _read_safetensors(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise _not_weights(path, "it holds no named tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise _not_weights(path, f"its entry {key!r} is {type(value).__name__}, not a tensor")
    return content


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except SafetensorError:
        raise _not_weights(path, "it is neither a whole safetensors file nor a PyTorch file") from None


def _read_pytorch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch refuses by an allow-list of what tensors need; its message runs over many lines.
        if any(word in str(error) for word in _SIGNS_OF_CODE):
            raise _not_weights(
                path, "it was refused since it holds code or Python objects, not tensors only"
            ) from None
        raise _not_weights(path, "it is a damaged PyTorch file") from None
    except Exception:  # damaged bytes make torch's reader raise anything, struct.error included
        raise _not_weights(path, "it is a damaged PyTorch file") from None


def _not_weights(path: Path, why: str) -> UserError:
    return UserError(f"{path} is not a weights file: {why}; name another file with {OPTION}")


def _first_mismatch(expected: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """Say in words how two sets of named tensors first differ, or return "" when they agree."""
    for key in expected:
        if key not in found:
            return f"its tensor {key!r} is missing"
    for key, tensor in found.items():
        if key not in expected:
            return f"it has a tensor {key!r} that the network has not"
        if tensor.shape != expected[key].shape:
            return (
                f"its tensor {key!r} has shape {tuple(tensor.shape)} instead of {tuple(expected[key].shape)}"
            )
        if not tensor.is_floating_point():
            return f"its tensor {key!r} is {tensor.dtype} instead of floating point"
    return ""
