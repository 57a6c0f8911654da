"""The store of trained detectors: one folder for everything that makes a training what it is."""

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sr_deepfake.detectors.checkpoints import BEST, LAST
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.errors import UserError
from sr_deepfake.files import write_json

logger = logging.getLogger(__name__)

# Raised when training changes in a way that the other fields do not show: older detectors are then not reused.
RECIPE_VERSION = 1

# Of the protocol: a label, what other fields hold (backbone, faces), and what concerns the attack alone.
_NOT_TRAINING = ("name", "swin", "frames", "sr_convention")

RECIPE = "recipe.json"
FINISHED = "finished.json"
PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class Recipe:
    """Everything that changes the training of a detector.

    Attributes:
        model: short name of the model, for folders and tables.
        backbone: timm's name.
        weights: origin of the weights that it starts from.
        forgery: the forgery method that it learns to find.
        protocol: optimiser, schedule, selection, augmentation and so on, as plain values.
        data: name and fingerprints of the training and validation faces.
        seed: of everything random.
        precision: Lightning's name of the precision.
        version: of the training code.
        defence: attacked faces among the training faces: `name`, `probability`, `attack` (its fingerprint); None
            without a defence.
        augmented_on: "loader", or "device" (whole batches, with other random numbers).
    """

    model: str
    backbone: str
    weights: str
    forgery: str
    protocol: Mapping[str, Any]
    data: Mapping[str, str]
    seed: int
    precision: str
    version: int = RECIPE_VERSION
    defence: Mapping[str, Any] | None = None
    augmented_on: str = "loader"

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that differ when anything in the recipe differs."""
        training = {key: value for key, value in self.protocol.items() if key not in _NOT_TRAINING}
        content = asdict(self) | {"model": None, "protocol": training}  # its short name is a label
        if self.defence is None:
            del content["defence"]  # as it was before there were defences
        if self.augmented_on == "loader":
            del content["augmented_on"]  # likewise
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:10]

    @property
    def name(self) -> str:
        """Name of the detector's folder: `<model>-<forgery>-<fingerprint>`, safe on any file system.

        Example:
            >>> Recipe("my/net", "resnet50", "random", "FaceSwap", {}, {}, 0, "32-true").name
            'my_net-FaceSwap-...'
        """
        return re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.model}-{self.forgery}") + f"-{self.fingerprint}"


class DetectorStore:
    """A folder of detectors, each `<model>-<forgery>-<fingerprint>/` with its recipe and checkpoints.

    Args:
        root: the folder; made when needed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, recipe: Recipe) -> Path:
        """Where the detector of a recipe is, or will be."""
        return self.root / recipe.name

    @contextmanager
    def claim(self, recipe: Recipe) -> Iterator[Path]:
        """Hold the folder of a recipe: one job at a time trains a detector, others wait for it."""
        folder = self.folder(recipe)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / f".{folder.name}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Another job trains %s; waiting for it.", folder)
            lock.acquire()
        try:
            write_json(folder / RECIPE, asdict(recipe))
            yield folder
        finally:
            lock.release()


def is_finished(folder: Path) -> bool:
    """Whether a folder of the store holds a detector whose training ended."""
    return (folder / FINISHED).is_file() and (folder / BEST).is_file()


def forget(folder: Path) -> None:
    """Remove what a training left in its folder, so that the next one starts anew."""
    for name in (FINISHED, BEST, LAST):
        (folder / name).unlink(missing_ok=True)


def read_recipe(folder: Path) -> Recipe:
    """Read the recipe of a stored detector.

    Raises:
        UserError: the folder is not one of a detector store.
    """
    try:
        return Recipe(**json.loads((folder / RECIPE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{folder} holds no trained detector ({RECIPE}: {error}). "
            "`python -m sr_deepfake.train` makes one and prints its folder"
        ) from error


def load_detector(folder: Path) -> Detector:
    """Load the best epoch of a stored detector, safely (`weights_only=True`), on the CPU, for evaluation.

    Raises:
        UserError: there is no finished detector in the folder.
    """
    read_recipe(folder)
    if not is_finished(folder):
        raise UserError(
            f"the training in {folder} is not finished; the command that began it, run again, resumes it"
        )
    detector = Detector.load_from_checkpoint(folder / BEST, map_location="cpu", weights_only=True)
    return detector.eval()
