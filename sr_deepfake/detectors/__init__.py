"""Detectors: the LightningModule, its backbones, callbacks of its training and the registry of trained ones."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sr_deepfake.detectors.detector import Detector

__all__ = ["Detector"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: torch takes seconds."""
    if name == "Detector":
        from sr_deepfake.detectors.detector import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
