"""Attacks: transforms on batches of faces.

Example:
    >>> import torch
    >>> from sr_deepfake.attacks import SuperResolutionAttack
    >>> from sr_deepfake.super_resolution.edsr import edsr
    >>> attack = SuperResolutionAttack(edsr())        # K = 2, the weights of the package
    >>> faces = torch.rand(2, 3, 96, 96)              # B×3×S×S, RGB in [0, 1]
    >>> attack(faces).shape
    torch.Size([2, 3, 96, 96])
"""

# ruff: noqa: F401  # imported for others, and for mypy alone

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.attacks.adversarial import PGDAttack, StatAttack
    from sr_deepfake.attacks.base import Attack, ChainAttack, Identity
    from sr_deepfake.attacks.compression import JpegAttack, UploadAttack, WebpAttack
    from sr_deepfake.attacks.corruptions import BlurAttack, NoiseAttack, ResizeAttack
    from sr_deepfake.attacks.h264 import H264Attack
    from sr_deepfake.attacks.polisher import FakePolisher
    from sr_deepfake.attacks.restoration import RestorationAttack
    from sr_deepfake.attacks.super_resolution import SuperResolutionAttack

_NAMES = {
    "adversarial": ("PGDAttack", "StatAttack"),
    "base": ("Attack", "ChainAttack", "Identity"),
    "compression": ("JpegAttack", "UploadAttack", "WebpAttack"),
    "corruptions": ("BlurAttack", "NoiseAttack", "ResizeAttack"),
    "h264": ("H264Attack",),
    "polisher": ("FakePolisher",),
    "restoration": ("RestorationAttack",),
    "super_resolution": ("SuperResolutionAttack",),
}
__all__ = [name for names in _NAMES.values() for name in names]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    for module, names in _NAMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
