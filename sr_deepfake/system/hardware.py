"""Capabilities of this machine: its device, and the number format that it is fast in."""

import functools
import os
from typing import TYPE_CHECKING

from sr_deepfake.system.errors import UserError, choose

if TYPE_CHECKING:
    import torch

_INSTRUCTIONS = (
    "avx512_bf16",
    "amx_bf16",
    "sve_bf16",
)  # without them a CPU emulates bf16, slower than float32


def best_accelerator() -> str:
    """Lightning's name of the best device here: "gpu", "mps" or "cpu"."""
    import torch

    return "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def precision(accelerator: str) -> str:
    """Lightning's name of the number format in which a device trains fast.

    Args:
        accelerator: "gpu", "mps" or "cpu".

    Example:
        >>> precision("mps")
        '32-true'
    """
    import torch

    if accelerator == "auto":
        accelerator = best_accelerator()
    if accelerator == "cpu":
        return "bf16-mixed" if cpu_has_bf16() else "32-true"
    if accelerator != "gpu" or not torch.cuda.is_available():
        return "32-true"
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed"
    return "16-mixed" if torch.cuda.get_device_capability() >= (7, 0) else "32-true"


def torch_device(accelerator: str) -> "torch.device":
    """The torch device of an accelerator.

    Raises:
        UserError: there is none here, or the word is no choice.

    Example:
        >>> torch_device("cpu")
        device(type='cpu')
    """
    import torch

    wish = choose(accelerator, ["auto", "cpu", "gpu", "mps"], "trainer.accelerator")
    wish = best_accelerator() if wish == "auto" else wish
    there = {"cpu": True, "gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[wish]:
        name = {"gpu": "CUDA", "mps": "MPS"}[wish]
        raise UserError(
            f"trainer.accelerator={wish}, but torch finds no {name} device here. Use trainer=cpu or trainer=auto"
        )
    return torch.device({"gpu": "cuda"}.get(wish, wish))


def helpful_workers(device: str, devices: int = 1) -> int:
    """Loading processes for each device, by the cores that this process may use: a queue gives a job some of them.

    Args:
        device: type of the torch device.
        devices: that train together.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    # On a CPU the network needs every core; on two of them, a process beside it slows it by more than it helps.
    return cores // devices // 4 if device == "cpu" else max(2, min(8, cores // devices))


@functools.cache
def cpu_has_bf16() -> bool:
    """Whether this CPU has bf16 instructions; no where torch (before 2.9) or the system does not tell."""
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        known = capabilities()
        return any(known.get(name, False) for name in _INSTRUCTIONS)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as information:
            return any(name in line for line in information for name in _INSTRUCTIONS)
    except OSError:
        return False
