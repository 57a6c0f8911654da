"""The registry of trained detectors: one folder for everything that makes a training what it is."""

import glob
import json
import logging
import os
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from sr_deepfake.attacks.fingerprint import hash_of_weights
from sr_deepfake.detectors import external
from sr_deepfake.detectors.callbacks import BEST, LAST
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.recipe import EXTERNAL, Recipe
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing, write_json

log = logging.getLogger(__name__)

RECIPE = "recipe.json"
FINISHED = "finished.json"
FORCED = "forced.json"
OPENED_AS = "external.json"  # of a detector that was trained by somebody else: what it is built from

_opened: dict[Path, ExternalDetector] = {}  # external detectors that the user of this process typed, by folder


@contextmanager
def claim(folder: Path, recipe: Recipe) -> Iterator[None]:
    """Hold the folder of a recipe: one job at a time trains a detector, others wait for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        write_json(folder / RECIPE, recipe.model_dump())
        yield


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a detector's folder, so that nobody else trains it meanwhile."""
    lock = FileLock(folder.parent / f".{folder.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("Another job trains %s; waiting for it.", folder)
        lock.acquire()
    except OSError:
        if os.access(folder.parent, os.W_OK):
            raise
        # A store that cannot be written to, where nobody trains from here.
    try:
        yield
    finally:
        lock.release()


def is_finished(folder: Path) -> bool:
    """Whether a folder of the registry holds a detector whose training ended."""
    return (folder / FINISHED).is_file() and ((folder / BEST).is_file() or (folder / OPENED_AS).is_file())


def register(detectors: Path, detector: ExternalDetector, settings: Mapping[str, Any]) -> Path:
    """Give a detector of another program a folder, so that its name works wherever that of a trained one does."""
    training = json.loads(json.dumps({"external": detector.identity, "defence": None, "seeds": [0]}))
    recipe = Recipe(model=detector.label, forgery=EXTERNAL, protocol={"name": EXTERNAL}, training=training)
    folder = detectors / recipe.name
    with claim(folder, recipe):
        write_json(folder / OPENED_AS, settings)
        write_json(folder / FINISHED, {"weights": detector.identity["digest"]})
    _opened[folder.resolve()] = detector
    return folder


def discard_training(folder: Path, command: str) -> None:
    """Remove what a training left, so that the next one starts again; for each command once."""
    try:
        if json.loads((folder / FORCED).read_text(encoding="utf-8")) == command:
            return
    except (OSError, ValueError):
        pass
    for name in (FINISHED, LAST, BEST):
        (folder / name).unlink(missing_ok=True)
    write_json(folder / FORCED, command)


def interrupted(folder: Path) -> Path | None:
    """The checkpoint that an interrupted training goes on from; None where there is none."""
    path = folder / LAST
    if not path.is_file():
        return None
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    home = str(folder.resolve())
    places = [state["dirpath"] for state in checkpoint["callbacks"].values() if "dirpath" in state]
    if any(place != home for place in places):
        checkpoint["callbacks"] = _moved(checkpoint["callbacks"], places[0], home)
        with replacing(path) as temporary:
            torch.save(checkpoint, temporary)
    return path


def _moved(value: Any, before: str, after: str) -> Any:
    if isinstance(value, dict):
        return {_moved(key, before, after): _moved(item, before, after) for key, item in value.items()}
    if isinstance(value, str) and value.startswith(before):
        return after + value.removeprefix(before)
    return value


def finish(folder: Path) -> None:
    """Note that a training ended, and which weights it gave."""
    if not (folder / BEST).is_file():
        raise UserError(
            f"the training kept no epoch: {folder / BEST} is missing. callbacks.model_checkpoint writes it, where an epoch was "
            "trained and validated, with a loss that is a number (trainer.max_epochs, limit_train_batches, …)"
        )
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    detector = _load(folder)
    if not all(tensor.isfinite().all() for tensor in detector.state_dict().values()):
        raise UserError(
            f"the training diverged: the weights that it kept in {folder} are no numbers. A lower protocol.optimizer.lr, or "
            "+trainer.gradient_clip_val=1, may help"
        )
    write_json(folder / FINISHED, {"best_epoch": best["epoch"], "weights": hash_of_weights(detector)})


def weights_of(folder: Path) -> str:
    """The hash of a finished detector's weights."""
    if not is_finished(folder):
        raise UserError(f"the training in {folder} is not finished; the command that began it, run again, resumes it")
    return str(json.loads((folder / FINISHED).read_text(encoding="utf-8"))["weights"])


def read_recipe(folder: Path) -> Recipe:
    """Read the recipe of a detector."""
    try:
        return Recipe.model_validate_json((folder / RECIPE).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} holds no detector of this version ({RECIPE}: {' '.join(str(error).split())[:200]}). "
            "`python -m sr_deepfake.train` makes one and prints its folder"
        ) from error


def load_detector(folder: Path) -> TestedDetector:
    """Load the kept epoch of a detector, safely (`weights_only=True`), on the CPU, in evaluation mode."""
    recipe = read_recipe(folder)
    weights_of(folder)
    if not (folder / OPENED_AS).is_file():
        return _load(folder)
    detector = _opened.get(folder.resolve()) or _load_external(folder)
    if json.loads(json.dumps(detector.identity)) != recipe.training.get("external"):
        raise UserError(
            f"{detector.path} has changed since {folder} was made of it; "
            "`python -m sr_deepfake.evaluate model=…` of its kind makes another"
        )
    return detector.eval()


def _load_external(folder: Path) -> ExternalDetector:
    """Build an external detector again from the plain values in its folder."""
    try:
        settings = json.loads((folder / OPENED_AS).read_text(encoding="utf-8"))
        name = settings["open"]["_target_"]
        module, _, function = name.rpartition(".")
        if not (module.startswith(f"{external.__name__}.") and function.startswith("open_")):
            raise ValueError(f"{name} does not open detectors")
        options = {
            "repo": "deepfakebench model.repo=CLONE model.detector=NAME model.path",
            "factory": "python model.factory",
            "trust": "torchscript model.trust=true model.path",
        }
        if kind := next((words for option, words in options.items() if settings.get(option)), None):
            raise UserError(
                f"{folder} names code ({settings['path']}), which is run only where it is typed: model={kind}="
                f"{settings['path']}"
            )
        settings |= {"download": False} if "download" in settings else {}
        del settings["_target_"]
        return ExternalDetector(**settings | {"open": pkgutil.resolve_name(name)})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise UserError(f"{folder} does not say what its detector is ({OPENED_AS}: {error})") from error


def _load(folder: Path) -> Detector:
    stored = torch.load(folder / BEST, map_location="cpu", weights_only=True, mmap=True)
    special = [name for name in stored.get("hyper_parameters", {}) if str(name).startswith("_")]
    if special:
        raise UserError(f"{folder / BEST} names {special[0]!r} among its hyper-parameters; it is not loaded")
    # Its own weights are all that it needs: whatever it says, nothing else is looked for.
    detector = Detector.load_from_checkpoint(
        folder / BEST, map_location="cpu", weights_only=True, pretrained=False, weights=None
    )
    return detector.eval()


def find_detectors(names: Iterable[str]) -> list[Path]:
    """Folders of detectors, named one by one or by patterns; of a pattern, those whose training is not finished are skipped."""
    found: list[Path] = []
    for name in names:
        # A folder whose own name holds pattern characters is taken as it is.
        matches = [name] if Path(name).is_dir() else sorted(glob.glob(name))
        folders = [folder for folder in map(Path, matches) if (folder / RECIPE).is_file()]
        finished = [folder for folder in folders if is_finished(folder)] if len(folders) > 1 else folders
        for folder in folders:
            if folder not in finished:
                log.warning("Skipped: the training in %s is not finished.", folder)
        if not finished:
            raise UserError(
                f"detector={name}: there is no trained detector. `python -m sr_deepfake.train` makes one and prints its "
                "folder; `ls outputs/detectors` lists those that exist"
            )
        found += finished
    return found
