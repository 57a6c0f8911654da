"""The names that published weights give to their tensors, told apart and brought into basicsr's."""

import re

import torch
from torch import Tensor

# What the authors of EDSR subtract (the mean of DIV2K), for pictures in [0, 1]. basicsr's networks have it built in.
_RGB_MEAN = torch.tensor([0.4488, 0.4371, 0.4040])
_MEAN_SHIFTS = {"sub_mean": -1.0, "add_mean": 1.0}

# EDSR-PyTorch's and torchSR's names (the same), and basicsr's for the same tensors.
_ENDS = (
    (r"head\.0\.", r"conv_first."),
    (r"tail\.0\.(\d+)\.", r"upsample.\1."),
    (r"tail\.1\.", r"conv_last."),
    (r"body\.\d+\.(weight|bias)$", r"conv_after_body.\1"),
)
_EDSR = ((r"body\.(\d+)\.body\.0\.", r"body.\1.conv1."), (r"body\.(\d+)\.body\.2\.", r"body.\1.conv2."))


def basicsr_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Bring the tensors of an SR network's file into basicsr's names.

    Known are basicsr's own names and those of EDSR-PyTorch and torchSR, with or without mean-shift
    layers. Names that are neither stay as they are.

    Args:
        state: name → tensor, as in the file.

    Raises:
        ValueError: its mean-shift layers shift by another mean than basicsr's networks do.

    Example:
        >>> sorted(basicsr_names({"head.0.weight": torch.zeros(1), "body.0.body.2.bias": torch.zeros(1)}))
        ['body.0.conv2.bias', 'conv_first.weight']
    """
    if "head.0.weight" not in state:
        return state
    value_range = _mean_shift_range(state)
    renamed = {_renamed(name): tensor for name, tensor in state.items() if not _is_mean_shift(name)}
    if len(renamed) < sum(not _is_mean_shift(name) for name in state):
        raise ValueError("two of its tensors stand for the same layer")
    if value_range == 1.0:
        # Trained on [0, 1] where basicsr's network computes in [0, 255]: its ends take the factor in.
        for name, factor in (
            ("conv_first.weight", 1 / 255),
            ("conv_last.weight", 255),
            ("conv_last.bias", 255),
        ):
            if name in renamed:
                renamed[name] = renamed[name].float() * factor
    return renamed


def scale_of(state: dict[str, Tensor]) -> int | None:
    """Tell from the shapes how many times a network enlarges; None where they do not say.

    Args:
        state: name → tensor, in basicsr's names.

    Example:
        >>> scale_of({"upsample.0.weight": torch.zeros(36, 4, 3, 3), "conv_last.weight": torch.zeros(3, 4, 3, 3)})
        3
    """
    if "upsample.0.weight" not in state or state["upsample.0.weight"].ndim != 4:
        return None
    outputs, inputs = state["upsample.0.weight"].shape[:2]
    steps = sum(bool(re.fullmatch(r"upsample\.\d+\.weight", name)) for name in state)
    return {4: 2**steps, 9: 3}.get(outputs // inputs)


def _renamed(name: str) -> str:
    for pattern, replacement in (*_ENDS, *_EDSR):
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name


def _is_mean_shift(name: str) -> bool:
    return name.partition(".")[0] in _MEAN_SHIFTS


def _mean_shift_range(state: dict[str, Tensor]) -> float | None:
    """The range (255 or 1) for which the mean-shift layers are made; None when there are none.

    Raises:
        ValueError: they are no such layers, or there is only a part of them.
    """
    wanted = {f"{layer}.{part}" for layer in _MEAN_SHIFTS for part in ("weight", "bias")}
    found = {name for name in state if _is_mean_shift(name)}
    if not found:
        return None
    if found == wanted:
        for value_range in (255.0, 1.0):
            if all(_shifts_by(state, layer, sign * value_range) for layer, sign in _MEAN_SHIFTS.items()):
                return value_range
    raise ValueError(
        "its layers sub_mean and add_mean do not shift by 255 × (0.4488, 0.4371, 0.4040), nor by that without the 255"
    )


def _shifts_by(state: dict[str, Tensor], layer: str, factor: float) -> bool:
    weight, bias = (state[f"{layer}.{part}"].float() for part in ("weight", "bias"))
    return (
        weight.shape == (3, 3, 1, 1)
        and bias.shape == (3,)
        and torch.allclose(weight[:, :, 0, 0], torch.eye(3), rtol=0, atol=1e-3)
        and torch.allclose(bias, factor * _RGB_MEAN, rtol=1e-3, atol=0)  # half precision rounds it
    )
