"""Which device, precision and memory format a machine is fast in."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from lightning.pytorch.strategies import DDPStrategy, Strategy

from sr_deepfake.errors import UserError, choose
from sr_deepfake.hardware import cpu_has_bf16

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """How detectors run on this machine.

    Attributes:
        accelerator: Lightning's name: "cpu", "gpu" or "mps".
        precision: Lightning's name: "bf16-mixed", "16-mixed" or "32-true".
        channels_last: memory format of backbones.
        workers: processes that load faces, for each device.
        reason: why this device and precision, in words.
        devices: that train a detector together; all else takes one.
    """

    accelerator: str
    precision: str
    channels_last: bool
    workers: int
    reason: str
    devices: int = 1

    @property
    def device(self) -> torch.device:
        """The torch device."""
        return torch.device({"gpu": "cuda"}.get(self.accelerator, self.accelerator))

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which a detector runs in this precision outside of training."""
        dtype = _AUTOCAST.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype) if dtype else nullcontext()

    def strategy(self) -> Strategy | str:
        """How Lightning trains: on one device, or on several that average their gradients after every step."""
        if self.devices == 1:
            return "auto"
        # Buffers need no broadcast: batch normalisation is synchronised, and in validation each rank has its own number
        # of batches.
        return DDPStrategy(process_group_backend=self.backend, broadcast_buffers=False)

    @property
    def backend(self) -> str:
        """What several devices talk through."""
        return "nccl" if self.accelerator == "gpu" else "gloo"

    def __str__(self) -> str:
        memory = "channels_last" if self.channels_last else "contiguous"
        several = f"{self.devices} × " if self.devices > 1 else ""
        return f"{several}{self.device.type}, {self.precision}, {memory} ({self.reason})"


def choose_runtime(
    accelerator: object = "auto",
    precision: object = "auto",
    channels_last: bool = True,
    workers: object = "auto",
    devices: object = 1,
) -> Runtime:
    """Choose a runtime; what is not "auto" is taken as given.

    Args:
        accelerator: "auto", "cpu", "gpu" or "mps".
        precision: "auto", "bf16-mixed", "16-mixed" or "32".
        channels_last: use that memory format.
        workers: "auto", or a number of processes.
        devices: that train a detector together; "auto": all GPUs of this machine.

    Raises:
        UserError: the accelerator or so many devices are not there, or a word or number is no choice.

    Example:
        >>> choose_runtime("cpu", "32", workers=0).precision
        '32-true'
    """
    wish = choose(accelerator, ["auto", "cpu", "gpu", "mps"], "trainer.accelerator")
    if wish == "auto":
        wish = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    elif wish == "gpu" and not torch.cuda.is_available():
        raise UserError(
            "trainer.accelerator=gpu, but torch finds no CUDA device here. Use trainer=cpu or trainer=auto."
        )
    elif wish == "mps" and not torch.backends.mps.is_available():
        raise UserError(
            "trainer.accelerator=mps, but torch finds no MPS device here. Use trainer=cpu or trainer=auto."
        )
    number = choose(precision, ["auto", "bf16-mixed", "16-mixed", "32", "32-true"], "trainer.precision")
    if number == "auto":
        number, reason = _fast_precision(wish)
    else:
        number = "32-true" if number == "32" else number
        reason = "as asked"
    count = _devices(devices, wish)
    return Runtime(wish, number, channels_last, _workers(workers, wish, count), reason, count)


def _fast_precision(accelerator: str) -> tuple[str, str]:
    if accelerator == "cpu":
        return ("bf16-mixed", "this CPU has bf16") if cpu_has_bf16() else ("32-true", "this CPU has no bf16")
    if accelerator == "mps":
        return "32-true", "float32 on Apple GPUs"
    name = torch.cuda.get_device_name()
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16-mixed", f"{name} has bf16"
    if torch.cuda.get_device_capability() >= (7, 0):
        return "16-mixed", f"{name} has fast fp16 but no bf16"
    return "32-true", f"{name} has no fast half precision"


def _devices(wish: object, accelerator: str) -> int:
    here = torch.cuda.device_count() if accelerator == "gpu" else 1
    if wish == "auto":
        if here < 2:
            raise UserError(
                "trainer=ddp trains one detector on all GPUs of a machine, and needs two or more; torch finds "
                f"{here if accelerator == 'gpu' else 0} here. Use trainer=auto"
            )
        return here
    if not isinstance(wish, int) or isinstance(wish, bool) or wish < 1:
        raise UserError(f"trainer.devices={wish!r} is neither auto nor a number of devices")
    if accelerator == "mps" and wish > 1:
        raise UserError(f"trainer.devices={wish}: an Apple GPU trains alone. Use trainer.devices=1")
    if accelerator == "gpu" and wish > max(here, 1):
        raise UserError(
            f"trainer.devices={wish}, but torch finds {here} CUDA device(s) here. Use trainer.devices={here}; in a "
            "queue or with Ray, let the launcher give each job as many"
        )
    return wish  # on a CPU, processes that share its cores


def _workers(wish: object, accelerator: str, devices: int) -> int:
    if wish == "auto":
        cores = _cores() // devices
        # On a CPU the network needs every core; on two of them, a process beside it slows it by more than it helps.
        return cores // 4 if accelerator == "cpu" else max(2, min(8, cores))
    if isinstance(wish, int) and wish >= 0:
        return wish
    raise UserError(
        f"trainer.workers={wish!r} is neither auto nor a number of processes (0 loads in this one)"
    )


def _cores() -> int:
    """Those that this process may use: a queue gives a job some of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
