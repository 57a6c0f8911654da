"""Weights of super-resolution networks: finding the file, reading it safely, refusing what does not fit."""

import logging
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sr_deepfake.super_resolution.download import Published, fetch, is_whole
from sr_deepfake.super_resolution.layouts import basicsr_names, scale_of
from sr_deepfake.system.checkpoints import load_pytorch, spellings, unwrapped
from sr_deepfake.system.errors import MissingWeightsError, UserError

OPTION = "sr_model.weights=FILE"
# In the place of FILE: published weights even where the package brings its own; those of the authors first, or the copy
# that the paper's code used.
OFFICIAL, TORCHSR = "official", "torchsr"
CACHE = "~/.cache/sr_deepfake/weights"
_FOLDER = Path(__file__).with_name("weights")
_SIGNS_OF_CODE = ("GLOBAL", "Unsupported", "class")  # in torch's message when it meets more than tensors
_log = logging.getLogger(__name__)
_downloads = ContextVar("downloads", default=True)
_unreachable: dict[str, str] = {}  # address → why it could not be downloaded, in this process


@contextmanager
def without_downloads() -> Iterator[None]:
    """Within this block, weights that are not here are missing."""
    token = _downloads.set(False)
    try:
        yield
    finally:
        _downloads.reset(token)


def find_weights(
    weights: str | None,
    bundled: str,
    network: str,
    published: Sequence[Published] = (),
    cache: str | Path = CACHE,
) -> Path:
    """Return the file that a network's weights are read from, and say in the log which one it is.

    In this order: the user's own; the one that comes with the package; the published one, downloaded once into
    the cache.

    Args:
        weights: a file of the user's own; None for the others; `"official"` for a published one even where the package
            brings one; `"torchsr"` for the same, in the reverse order.
        bundled: name that the package's file has if there is one.
        network: what the network is called in messages.
        published: where it is offered, the first choice first. The next one is tried, with a warning, where one cannot
            be downloaded.
        cache: folder of downloaded files.

    Raises:
        UserError: the file does not exist, cannot be downloaded, or there is none for this network; the
            message has the address and the place to put it.

    Example:
        >>> find_weights(None, "edsr_baseline_x2.safetensors", "EDSR").name
        'edsr_baseline_x2.safetensors'
    """
    path, source = _find(weights, bundled, network, published, Path(cache).expanduser())
    _log.info("Weights of %s: %s (%s)", network, path, source)
    return path


def _find(
    weights: str | None, bundled: str, network: str, published: Sequence[Published], cache: Path
) -> tuple[Path, str]:
    if weights is not None and weights not in (OFFICIAL, TORCHSR):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise UserError(f"no weights file at {path}; name one that exists with {OPTION}")
        return path, "sr_model.weights"
    path = _FOLDER / bundled
    if weights is None and path.is_file():
        return path, "bundled with the package"
    if not published:
        raise MissingWeightsError(
            f"no published weights of {network} are known to this program; name a file with {OPTION}"
        )
    failures = []
    for offer in reversed(published) if weights == TORCHSR else published:
        failures.append(_fetched(offer, cache / offer.name))
        if not failures[-1]:
            return cache / offer.name, f"published at {offer.url}"
    raise MissingWeightsError("; ".join(failures))


def _fetched(offer: Published, path: Path) -> str:
    """Download a file unless it is there; return "", or in words why it cannot be had."""
    if is_whole(path, offer):
        return ""
    if not _downloads.get():
        return f"the weights {path} are not there, and nothing is downloaded for a report"
    if offer.url not in _unreachable:  # asked once, not for every job of a sweep
        try:
            fetch(offer, path, OPTION)
            return ""
        except MissingWeightsError as error:
            _unreachable[offer.url] = str(error)
            _log.warning("%s", error)
    return _unreachable[offer.url]


def load_weights(network: nn.Module, path: Path, name: str) -> None:
    """Copy the weights of a file into a network of basicsr, which keeps its own number format.

    Args:
        network: receives the weights; every one of its tensors must be in the file, and no other.
        path: safetensors, or a PyTorch file of tensors only, in one of the layouts of `layouts`.
        name: what the network is called in messages.

    Raises:
        UserError: in one line that names the file: not a weights file, damaged, with code in it, of another
            network or another scale, or with NaN or infinite numbers in it.
    """
    fill(network, read_weights(path), path, name)


def fill(network: nn.Module, state: dict[str, Tensor], path: Path, name: str) -> None:
    """Copy the tensors that `read_weights` read into a network: the second half of `load_weights`."""
    expected = network.state_dict()
    try:
        spelt = [basicsr_names(names) for names in spellings(state)]
    except ValueError as error:
        raise _another_network(path, name, str(error)) from None
    state = max(spelt, key=lambda names: len(names.keys() & expected.keys()))
    enlarges, wanted = scale_of(state), scale_of(expected)
    if enlarges and wanted and enlarges != wanted:
        raise UserError(
            f"{path} holds weights of a network that enlarges {enlarges} times, but attack.scale={wanted}; choose "
            f"attack.scale={enlarges} (or sr_model.scale={enlarges} alone), or name another file with {OPTION}"
        )
    mismatch = _first_mismatch(expected, state)
    if mismatch:
        raise _another_network(path, name, mismatch)
    check_finite(state, path)
    network.load_state_dict(state, strict=True)


def check_finite(state: dict[str, Tensor], path: Path) -> None:
    """Refuse weights with NaN or infinite numbers in them.

    Raises:
        UserError: names the file and the tensor.
    """
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise UserError(
                f"{path} is damaged: its tensor {key!r} holds NaN or infinite numbers; "
                f"name another file with {OPTION}"
            )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the named tensors of a weights file; nothing in the file is ever run.

    Args:
        path: safetensors, or a PyTorch file of tensors only (bare, or below `params_ema`, `params` and the
            like). The content tells which, not the name.

    Returns:
        Name → tensor, as in the file (see `spellings` for prefixes of the names).

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
    content = unwrapped(content)
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
        return load_pytorch(path)
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


def _another_network(path: Path, name: str, why: str) -> UserError:
    return UserError(
        f"{path} does not hold weights of {name}: {why}; name another file with {OPTION}, or sr_model=spandrel, which "
        "reads other networks"
    )


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
