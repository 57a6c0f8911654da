"""Weights of EDSR: finding the file, bringing its names into basicsr's, refusing what does not fit."""

import functools
import logging
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from sr_deepfake.system.checkpoints import read_tensors, spellings
from sr_deepfake.system.errors import MissingWeightsError, UserError

OPTION = "sr_model.weights"
# In the place of a file: published weights even where the package brings its own; those of the authors first, or the
# copy that the paper's code used.
OFFICIAL, TORCHSR = "official", "torchsr"
CACHE = "~/.cache/sr_deepfake/weights"
TIMEOUT = 30.0  # seconds without an answer
_FOLDER = Path(__file__).with_name("weights")
# What EDSR's authors subtract from pictures in [0, 1] (the mean of DIV2K). basicsr's network has it built in.
_RGB_MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
_MEAN_SHIFTS = {"sub_mean": -1.0, "add_mean": 1.0}
# Names of EDSR-PyTorch and torchSR (the same), and basicsr's.
_NAMES = (
    (r"head\.0\.", r"conv_first."),
    (r"tail\.0\.(\d+)\.", r"upsample.\1."),
    (r"tail\.1\.", r"conv_last."),
    (r"body\.\d+\.(weight|bias)$", r"conv_after_body.\1"),
    (r"body\.(\d+)\.body\.0\.", r"body.\1.conv1."),
    (r"body\.(\d+)\.body\.2\.", r"body.\1.conv2."),
)
_log = logging.getLogger(__name__)


def find_weights(
    weights: str | None, bundled: str, network: str, urls: Sequence[str] = (), cache: str | Path = CACHE
) -> Path:
    """The file of a network's weights: the user's; else the package's; else a published one, by the first URL that works."""
    if weights is not None and weights not in (OFFICIAL, TORCHSR):
        path, source = Path(weights).expanduser(), OPTION
        if not path.is_file():
            raise UserError(f"{OPTION}={weights}: there is no such file")
    elif weights is None and (_FOLDER / bundled).is_file():
        path, source = _FOLDER / bundled, "in the package"
    else:
        urls = urls[::-1] if weights == TORCHSR else urls
        path, source = _published(urls, network, Path(cache).expanduser())
    _log.info("Weights of %s: %s (%s)", network, path, source)
    return path


def _published(urls: Sequence[str], network: str, cache: Path) -> tuple[Path, str]:
    failures = [f"no published weights of {network} are known; name a file with {OPTION}=FILE"] if not urls else []
    for url in urls:
        path = cache / url.rpartition("/")[2]
        if path.is_file() or not (failure := _download(url, path)):
            return path, f"published at {url}"
        failures.append(failure)
    raise MissingWeightsError("; ".join(failures))


@functools.cache  # asked once, not for every job of a sweep
def _download(url: str, path: Path) -> str:
    """Download a file, whole or not at all; "", or in words why it did not work."""
    digits = re.search(r"-([0-9a-f]{8})\.", path.name)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torch.hub has none of its own
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digits and digits[1], progress=sys.stderr.isatty())
    except Exception as error:  # no network, another status than 200, no HTTP at all, another hash, a folder of others
        failure = f"{url} could not be downloaded ({error}); put the file at {path} or name it with {OPTION}=FILE"
        _log.warning("%s", failure)
        return failure
    finally:
        socket.setdefaulttimeout(before)
    return ""


def load_weights(network: nn.Module, path: Path, name: str) -> None:
    """Fill a network of basicsr, which keeps its number format, with a file's tensors: all of them, no other."""
    expected, state = network.state_dict(), read_tensors(path, OPTION)
    try:
        spelt = [basicsr_names(names) for names in spellings(state)]
    except ValueError as error:
        raise refused(path, str(error)) from None
    state = max(spelt, key=lambda names: len(names.keys() & expected.keys()))
    enlarges, wanted = scale_of(state), scale_of(expected)
    if enlarges and wanted and enlarges != wanted:
        raise refused(path, f"its network enlarges {enlarges} times; choose attack.scale={enlarges}, not {wanted}")
    mismatch = _first_mismatch(expected, state)
    if mismatch:
        raise refused(path, f"it does not hold {name}: {mismatch} (sr_model=spandrel reads other networks)")
    check_finite(state, path)
    network.load_state_dict(state)


def refused(path: Path, why: str) -> UserError:
    """The error of a file that is not used."""
    return UserError(f"{OPTION}={path}: {why}")


def check_finite(state: dict[str, Tensor], path: Path) -> None:
    """Refuse weights with NaN or infinite numbers in them."""
    damaged = next((name for name, tensor in state.items() if not torch.isfinite(tensor).all()), None)
    if damaged:
        raise refused(path, f"the file is damaged: its tensor {damaged!r} holds NaN or infinite numbers")


def basicsr_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of EDSR by basicsr's names, from those of EDSR-PyTorch and torchSR, with or without mean-shift layers."""
    if "head.0.weight" not in state:
        return state
    kept = {name: tensor for name, tensor in state.items() if name.partition(".")[0] not in _MEAN_SHIFTS}
    renamed = {_renamed(name): tensor for name, tensor in kept.items()}
    if len(renamed) < len(kept):
        raise ValueError("two of its tensors stand for the same layer")
    if _mean_shift_range(state) == 1.0:
        # Trained on [0, 1] where basicsr's network computes in [0, 255]: its ends take the factor in.
        for name, factor in (("conv_first.weight", 1 / 255), ("conv_last.weight", 255), ("conv_last.bias", 255)):
            renamed[name] = renamed[name].float() * factor
    return renamed


def _renamed(name: str) -> str:
    pattern, replacement = next((entry for entry in _NAMES if re.match(entry[0], name)), ("", ""))
    return re.sub(pattern, replacement, name, count=1)


def _mean_shift_range(state: dict[str, Tensor]) -> float | None:
    """The range (255 or 1) for which the mean-shift layers are made; None where there are none."""
    if not any(name.partition(".")[0] in _MEAN_SHIFTS for name in state):
        return None
    for value_range in (255.0, 1.0):
        if all(_shifts_by(state, layer, sign * value_range) for layer, sign in _MEAN_SHIFTS.items()):
            return value_range
    raise ValueError(
        "its layers sub_mean and add_mean do not shift by 255 × (0.4488, 0.4371, 0.4040), nor by that without the 255"
    )


def _shifts_by(state: dict[str, Tensor], layer: str, factor: float) -> bool:
    weight, bias = (state.get(f"{layer}.{part}", torch.zeros(0)).float() for part in ("weight", "bias"))
    return (
        weight.shape == (3, 3, 1, 1)
        and bias.shape == (3,)
        and torch.allclose(weight[:, :, 0, 0], torch.eye(3), rtol=0, atol=1e-3)
        and torch.allclose(bias, factor * _RGB_MEAN, rtol=1e-3, atol=0)  # half precision rounds it
    )


def scale_of(state: dict[str, Tensor]) -> int | None:
    """How many times a network of basicsr enlarges, by its shapes; None where they do not say."""
    first = state.get("upsample.0.weight")
    if first is None or first.ndim != 4:
        return None
    steps = sum(bool(re.fullmatch(r"upsample\.\d+\.weight", name)) for name in state)
    return {4: 2**steps, 9: 3}.get(first.shape[0] // first.shape[1])


def _first_mismatch(expected: dict[str, Tensor], found: dict[str, Tensor]) -> str:
    """How two sets of named tensors first differ, in words; "" where they agree."""
    for name in expected:
        if name not in found:
            return f"its tensor {name!r} is missing"
    for name, tensor in found.items():
        if name not in expected:
            return f"it has a tensor {name!r} that the network has not"
        if tensor.shape != expected[name].shape:
            return f"its tensor {name!r} has shape {tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
        if not tensor.is_floating_point():
            return f"its tensor {name!r} is {tensor.dtype} instead of floating point"
    return ""
