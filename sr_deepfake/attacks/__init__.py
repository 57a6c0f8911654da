"""What attacks: transforms on batches of faces.

Example:
    >>> import torch
    >>> from sr_deepfake.attacks import SuperResolutionAttack
    >>> from sr_deepfake.super_resolution.edsr import edsr
    >>> attack = SuperResolutionAttack(edsr())        # K = 2, the weights of the package
    >>> faces = torch.rand(2, 3, 96, 96)              # B×3×S×S, RGB in [0, 1]
    >>> attack(faces).shape
    torch.Size([2, 3, 96, 96])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.attacks.super_resolution import SuperResolutionAttack

__all__ = ["SuperResolutionAttack"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name == "SuperResolutionAttack":
        from sr_deepfake.attacks.super_resolution import SuperResolutionAttack

        return SuperResolutionAttack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
