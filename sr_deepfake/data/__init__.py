"""Data sets of faces, and the LightningDataModule that loads them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.data.module import FaceDataModule
    from sr_deepfake.data.sources.data_set import DataSet

__all__ = ["DataSet", "FaceDataModule"]
_MODULES = {"FaceDataModule": "module", "DataSet": "sources.data_set"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
