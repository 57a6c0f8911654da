"""What an opener returns: a network, and what its file says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from sr_deepfake.system.checkpoints import refuse_no_weights
from sr_deepfake.system.errors import UserError


@dataclass(frozen=True)
class Opened:
    """A network, and what its file says of it."""

    network: Callable[[Tensor], Any]  # B×3×S×S faces as the file wants them → its answer
    digest: str  # of everything that the answer depends on
    facts: Mapping[str, Any] = field(default_factory=dict)  # those of `detector.ASSUMED` that the file says
    source: str = "the file"  # of the facts
    batch: int | None = None  # the only number of faces that it takes at once; None: any
    # Why the file does not say which of two numbers is that of fake; "": it does, or there is one number.
    unclear: str = ""
    note: str = ""  # what else a user should know


def detector_file(path: str) -> Path:
    """The file that `model.path` names."""
    found = Path(path).expanduser()
    if not found.is_file():
        raise UserError(f"model.path={path} {'is a folder, not a file' if found.is_dir() else 'is missing'}")
    refuse_no_weights(found, "model.path")
    return found
