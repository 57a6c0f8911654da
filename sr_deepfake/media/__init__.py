"""Whole photos and videos: their faces are found, attacked and put back, and nothing else changes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.media.image import attack_image

__all__ = ["attack_image"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name == "attack_image":
        from sr_deepfake.media.image import attack_image

        return attack_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
