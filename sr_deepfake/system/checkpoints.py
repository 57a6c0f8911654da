"""Files of weights as programs write them: what is around the tensors, and before their names. Read as data."""

import contextlib
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sr_deepfake.system.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

# Programs store a network below one of these names; averaged weights (ema) are the better ones.
WRAPPERS = (
    "params_ema", "params-ema", "state_dict_ema", "ema_state_dict", "params", "state_dict", "model_state_dict",
    "model_state", "model", "net", "network", "generator", "weights", "ema",
)  # fmt: skip
# Before every name, where a network was saved from within another: by data-parallel training, torch.compile, Lightning
PREFIXES = (
    "module.", "_orig_mod.", "netG.", "backbone.", "model.", "net.", "network.", "encoder.", "detector.", "generator.",
)  # fmt: skip
_COUNTERS = ("n_averaged",)  # of torch's AveragedModel: no weights
# How a file begins that a download left instead of weights.
_NO_WEIGHTS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself: `git lfs pull` fetches that",
    b"<!doctype": "a web page, not weights: download the file itself",
    b"<html": "a web page, not weights: download the file itself",
}
_SIGNS_OF_PROGRAMS = ("TorchScript", "locating file data.pkl")  # in torch's message
_SIGNS_OF_CODE = ("GLOBAL", "Unsupported", "class")  # in torch's message when it meets more than tensors


def read_tensors(path: Path, option: str) -> "dict[str, Tensor]":
    """Read the named tensors of a file of weights; nothing in the file is ever run."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torch import Tensor

    from sr_deepfake.system.pickles import read_network

    is_pytorch = refuse_no_weights(path, option).startswith((b"PK\x03\x04", b"\x80"))
    try:
        content = unwrapped(load_pytorch(path) if is_pytorch else load_file(path))
    except SafetensorError:
        raise UserError(f"{option}={path}: this is neither a whole safetensors file nor a PyTorch file") from None
    except Exception as error:  # damaged bytes make torch's reader raise anything, struct.error included
        if isinstance(error, pickle.UnpicklingError) and any(sign in str(error) for sign in _SIGNS_OF_CODE):
            # A network that was pickled whole: its tensors without its code.
            with contextlib.suppress(Exception):  # of a damaged or hostile pickle: any class
                if found := read_network(path):
                    return found
            raise UserError(
                f"{option}={path}: the file holds code, which is not run. Save the network's state_dict() alone"
            ) from None
        if any(sign in str(error) for sign in _SIGNS_OF_PROGRAMS):
            raise UserError(
                f"{option}={path}: this is a program (TorchScript, torch.export), not weights. A detector in one is opened by "
                f"model=torchscript model.path={path}"
            ) from None
        raise UserError(f"{option}={path}: this PyTorch file is damaged, or was not downloaded to its end") from None
    tensors = content if isinstance(content, Mapping) else {}
    tensors = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UserError(f"{option}={path}: the file holds no named tensors")
    return tensors


def refuse_no_weights(path: Path, option: str) -> bytes:
    """Refuse what a download left instead of a file of weights; return how the file begins."""
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except OSError as error:
        raise UserError(f"{option}={path}: the file cannot be read ({error.strerror})") from None
    if other := next((words for sign, words in _NO_WEIGHTS.items() if start.lstrip().lower().startswith(sign)), None):
        raise UserError(f"{option}={path}: this is {other}")
    return start


def load_pytorch(path: Path) -> Any:
    """Load a file of PyTorch: tensors, plain values and NumPy's numbers; nothing in it is ever run."""
    import numpy as np
    import torch

    numbers: list[Any] = [np.dtype, type(np.dtype(np.float64)), type(np.dtype(np.float32)), type(np.dtype(np.int64))]
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]  # how NumPy pickles a number
    # By the name that files of NumPy 1 have, too.
    with torch.serialization.safe_globals([*numbers, scalar, (scalar, "numpy.core.multiarray.scalar")]):
        return torch.load(path, map_location="cpu", weights_only=True)


def unwrapped(content: Any) -> Any:
    """What a wrapper holds, through wrappers in it; the content itself where there is none that holds anything.

    >>> unwrapped({"epoch": 3, "params_ema": {}, "params": {"fc.weight": 1}})
    {'fc.weight': 1}
    """
    while isinstance(content, Mapping):
        parts = [content[name] for name in WRAPPERS if isinstance(content.get(name), Mapping)]
        inner = next((part for part in parts if part), None)
        if inner is None:
            return {name: value for name, value in content.items() if name not in _COUNTERS}
        content = inner
    return content


def spellings(state: "Mapping[str, Tensor]") -> "Iterator[dict[str, Tensor]]":
    """The tensors by their names, then less each prefix that all of them (or nearly) begin with, one after the other."""
    current = dict(state)
    while True:
        yield current
        counts = {prefix: sum(name.startswith(prefix) for name in current) for prefix in PREFIXES}
        prefix = max(counts, key=lambda name: counts[name])
        if counts[prefix] * 2 <= len(current):
            return
        current = {name.removeprefix(prefix): tensor for name, tensor in current.items()}
