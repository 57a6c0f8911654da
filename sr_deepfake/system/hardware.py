"""Capabilities of this machine: its device, and the number format that it is fast in."""

import contextlib
import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sr_deepfake.system.errors import UserError, choose

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "sve_bf16")  # without them a CPU emulates bf16, slower than float32
# What a driver of NVIDIA leaves to be found, whether torch can use it or not.
_NVIDIA = ("/dev/nvidia[0-9]*", "/proc/driver/nvidia/gpus/*", "/usr/lib/wsl/lib/nvidia-smi")


def best_accelerator() -> str:
    """Lightning's name of the best device here: "gpu", "mps" or "cpu". An NVIDIA device that is of no use is named."""
    import torch

    if torch.cuda.is_available():
        return "gpu"
    _warn_of_unusable_gpu()
    return "mps" if torch.backends.mps.is_available() else "cpu"


@functools.cache
def _warn_of_unusable_gpu() -> None:
    why = unusable_gpu()
    if why:
        log.warning("There is an NVIDIA device, but torch cannot use it, and the CPU is taken: %s", why)


def unusable_gpu(root: Path = Path("/")) -> str | None:
    """Why torch cannot use the NVIDIA device of this machine; None where it can, there is none, or it is hidden."""
    import torch

    there = any(found for pattern in _NVIDIA for found in root.glob(pattern.lstrip("/")))
    if not there or torch.cuda.is_available() or os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return None
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is built without CUDA. https://pytorch.org/get-started/locally has the "
            "command that installs a build with it"
        )
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
    else:
        reason = "it gives no reason"
    return f"{reason} (torch {torch.__version__}, built for CUDA {torch.version.cuda}; `nvidia-smi` shows the driver's)"


@contextlib.contextmanager
def exact_float32(device: str) -> Iterator[None]:
    """Compute in float32 with all its bits: outside of autocast, and without the shortened products of TF32."""
    import torch

    products = torch.backends.cuda.matmul.allow_tf32
    convolutions = torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = products, convolutions


def forbid_tf32() -> None:
    """Let float32 keep all its bits in this process: torch allows cuDNN's convolutions to shorten them."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def fast_dtype(device: "torch.device") -> "torch.dtype":
    """Return the fastest number format that a device multiplies natively."""
    import torch

    if device.type == "cpu":
        return torch.bfloat16 if cpu_has_bf16() else torch.float32
    if device.type != "cuda" or not torch.cuda.is_available():
        return torch.float32
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return torch.float16 if torch.cuda.get_device_capability() >= (7, 0) else torch.float32


def precision(accelerator: str, requested: str | None = None, otherwise: str | None = None) -> str:
    """Lightning's name of the number format of a training."""
    if requested is not None or otherwise is not None:
        return requested or str(otherwise)
    import torch

    name = best_accelerator() if accelerator == "auto" else accelerator
    device = torch.device({"gpu": "cuda"}.get(name, name))
    names = {torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed", torch.float32: "32-true"}
    return names[fast_dtype(device)]


def torch_device(accelerator: str, option: str = "trainer.accelerator") -> "torch.device":
    """The torch device of an accelerator."""
    import torch

    chosen = choose(accelerator, ["auto", "cpu", "gpu", "mps"], option)
    chosen = best_accelerator() if chosen == "auto" else chosen
    there = {"cpu": True, "gpu": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[chosen]:
        name = {"gpu": "CUDA", "mps": "MPS"}[chosen]
        raise UserError(
            f"{option}={chosen}, but torch finds no {name} device here"
            f"{': ' + reason if chosen == 'gpu' and (reason := unusable_gpu()) else ''}. "
            f"Use {'trainer=cpu or trainer=auto' if option == 'trainer.accelerator' else option + '=auto'}"
        )
    return torch.device({"gpu": "cuda"}.get(chosen, chosen))


def helpful_workers(device: str, devices: int = 1) -> int:
    """Loading processes for each device, by the cores that this process may use: a queue gives a job some of them."""
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
