"""Which detectors an evaluation is of, and on which fakes; the folder of an external one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.configuration import plain, words
from sr_deepfake.detectors.external.detector import ExternalDetector
from sr_deepfake.detectors.recipe import Recipe
from sr_deepfake.detectors.registry import find_detectors, read_recipe, register
from sr_deepfake.system.errors import UserError

WHICH = (
    "which detector? detector=FOLDER names a trained one (`ls outputs/detectors` lists them), model=onnx model.path=FILE an "
    "external one; also model=torchscript, huggingface, checkpoint, deepfakebench, python"
)


@dataclass(frozen=True)
class Pairing:
    """A detector and the fakes that it is tested on."""

    folder: Path  # the detector's
    recipe: Recipe
    tested_on: str  # the forgery method
    chosen_by: str  # the method whose validation faces choose a threshold: that of the training, if the data set has it
    label: str  # for folders and runs of a logger


def detector_folders(cfg: DictConfig) -> list[Path]:
    """The folders of `detector=`, or the one of the external detector of `model`."""
    if cfg.get("tested_on") is not None:
        raise UserError(f"tested_on={cfg.tested_on} is an option of train; evaluate takes forgery={cfg.tested_on}")
    if cfg.detector is not None:
        return find_detectors(words(cfg.detector))
    if not str((cfg.get("model") or {}).get("_target_")).startswith("sr_deepfake.detectors.external."):
        raise UserError(WHICH)
    detector = instantiate(cfg.model)
    if not isinstance(detector, ExternalDetector):
        raise UserError(WHICH)
    settings = {key: value for key, value in plain(cfg.model).items() if key != "_convert_"}
    if settings.get("path") and Path(settings["path"]).expanduser().exists():
        settings["path"] = str(Path(settings["path"]).expanduser().absolute())
    folder = register(Path(cfg.paths.outputs, "detectors"), detector, settings)
    if detector.note:
        print(f"{detector.label} is {detector.note}")
    print(f"{detector.label} ({detector.path}) is loaded with")
    for name, value in detector.report.items():
        print(f"  model.{name} = {value}")
    return [folder]


def pairings(folders: Sequence[Path], forgery: str | None, methods: Sequence[str]) -> list[Pairing]:
    """The evaluations of some detectors: a trained one meets its own method, an external one all of them."""
    found = []
    for folder in folders:
        recipe = read_recipe(folder)
        own = recipe.forgery if recipe.forgery in methods else None
        tested = [forgery] if forgery else [own] if own else list(methods)
        for method in tested:
            label = f"{folder.name}-{method}" if method != own else folder.name
            found.append(Pairing(folder, recipe, method, own or method, label))
    return found


def paired(cfg: DictConfig, pairing: Pairing, several: bool) -> DictConfig:
    """The configuration of one evaluation, with what of the training's protocol concerns the test."""
    own = cfg.copy()
    own.forgery, own.tested_on = pairing.chosen_by, pairing.tested_on
    typed = any(word.startswith("protocol") for word in HydraConfig.get().overrides.task)
    if not typed and not pairing.recipe.is_external:
        # Plain values alone: nothing of a folder that may come from somebody else is resolved or built.
        kept = {
            key: value
            for key, value in pairing.recipe.protocol.items()
            if key in own.protocol and isinstance(value, int | float | str | None) and "${" not in str(value)
        }
        own.protocol = OmegaConf.merge(own.protocol, kept)
    if several:
        own.run_name, own.log_folder = f"{own.run_name}-{pairing.label}", f"{own.log_folder}/{pairing.label}"
    return own
