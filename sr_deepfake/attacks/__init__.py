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

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.attacks.adversarial import PGDAttack, StatAttack
    from sr_deepfake.attacks.base import Attack, Identity
    from sr_deepfake.attacks.chain import ChainAttack
    from sr_deepfake.attacks.compression import JpegAttack, UploadAttack, WebpAttack
    from sr_deepfake.attacks.corruptions import BlurAttack, NoiseAttack, ResizeAttack
    from sr_deepfake.attacks.h264 import H264Attack
    from sr_deepfake.attacks.polisher import FakePolisher
    from sr_deepfake.attacks.restoration import RestorationAttack
    from sr_deepfake.attacks.super_resolution import SuperResolutionAttack

_MODULES = {
    "Attack": "base",
    "BlurAttack": "corruptions",
    "ChainAttack": "chain",
    "FakePolisher": "polisher",
    "H264Attack": "h264",
    "Identity": "base",
    "JpegAttack": "compression",
    "NoiseAttack": "corruptions",
    "PGDAttack": "adversarial",
    "ResizeAttack": "corruptions",
    "RestorationAttack": "restoration",
    "StatAttack": "adversarial",
    "SuperResolutionAttack": "super_resolution",
    "UploadAttack": "compression",
    "WebpAttack": "compression",
}
__all__ = [
    "Attack",
    "BlurAttack",
    "ChainAttack",
    "FakePolisher",
    "H264Attack",
    "Identity",
    "JpegAttack",
    "NoiseAttack",
    "PGDAttack",
    "ResizeAttack",
    "RestorationAttack",
    "StatAttack",
    "SuperResolutionAttack",
    "UploadAttack",
    "WebpAttack",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
