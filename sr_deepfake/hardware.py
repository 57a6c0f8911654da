"""What this machine's processor can do."""

import functools

import torch

_INSTRUCTIONS = (
    "avx512_bf16",
    "amx_bf16",
    "sve_bf16",
)  # without them a CPU emulates bf16, slower than float32


@functools.cache
def cpu_has_bf16() -> bool:
    """Whether this CPU has bf16 instructions; no where torch (before 2.9) or the system does not tell."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is not None:
        known = capabilities()
        return any(known.get(name, False) for name in _INSTRUCTIONS)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as information:
            return any(name in line for line in information for name in _INSTRUCTIONS)
    except OSError:
        return False
