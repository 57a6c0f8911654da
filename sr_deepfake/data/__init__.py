"""Data sets of faces, and the LightningDataModule that loads them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.data.module import FaceDataModule

__all__ = ["FaceDataModule"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name == "FaceDataModule":
        from sr_deepfake.data.module import FaceDataModule

        return FaceDataModule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
