"""Which detectors a configuration evaluates, and on what; the folder of one that was trained elsewhere."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.build import outputs
from sr_deepfake.app.configuration import checked, plain
from sr_deepfake.detectors import external
from sr_deepfake.detectors.external.base import ExternalDetector
from sr_deepfake.detectors.registry import EXTERNAL, read_recipe, register
from sr_deepfake.system.errors import UserError


def external_folder(cfg: DictConfig) -> Path:
    """The folder of the detector of `model`, which was trained elsewhere; made, and what was chosen is printed.

    Raises:
        UserError: `model` is one that is trained here, or its file cannot be read.
    """
    if not is_external(cfg):
        raise UserError(
            "which detector? detector=FOLDER names a trained one (`ls outputs/detectors` lists them), and model=onnx "
            "model.path=FILE asks one from elsewhere; also model=torchscript, huggingface, checkpoint, python"
        )
    detector: ExternalDetector = instantiate(cfg.model)
    settings = {key: value for key, value in plain(cfg.model).items() if key != "_convert_"}
    if settings.get("path") and Path(settings["path"]).expanduser().exists():
        settings["path"] = str(Path(settings["path"]).expanduser().absolute())
    folder = register(outputs(cfg) / "detectors", detector, settings)
    print(f"{detector.label} ({detector.path}) is read with")
    for name, told in detector.told.items():
        print(f"  model.{name} = {told}")
    return folder


def is_external(cfg: DictConfig) -> bool:
    """Whether `model` is a detector from elsewhere."""
    return bool(cfg.get("model")) and str(cfg.model.get("_target_")).startswith(f"{external.__name__}.")


def spanned(cfg: DictConfig, folders: Sequence[Path]) -> Iterator[tuple[DictConfig, Path, str]]:
    """The evaluations that a configuration spans: a trained detector meets its own method, one from elsewhere all.

    A trained one meets all, too, where the data set has other methods than it was trained on.

    Args:
        cfg: the configuration; a forgery method in it is the one that all meet.
        folders: of the detectors.

    Yields:
        The configuration of one, with its forgery method, the protocol of its training (unless one was typed) and
        places of its own for loggers; the detector's folder; and the short name of its model.
    """
    recipes = {folder: read_recipe(folder) for folder in folders}
    asked = [str(cfg.forgery_method.name)] if cfg.get("forgery_method") else None
    elsewhere = {folder for folder, trained in recipes.items() if trained.forgery == EXTERNAL}
    every = [] if asked else list(instantiate(cfg.data.source).methods)
    own_methods = {
        folder: [trained.forgery] if trained.forgery in every else every
        for folder, trained in recipes.items()
    }
    pairs = [(folder, method) for folder in folders for method in asked or own_methods[folder]]
    typed = any(word.startswith("protocol") for word in HydraConfig.get().overrides.task)
    for folder, method in pairs:
        own = cfg.copy()
        OmegaConf.set_struct(own, False)
        own.forgery_method = {"name": method}
        if folder not in elsewhere and not typed:
            own.protocol = checked(recipes[folder].protocol, f"detector={folder}", "protocol")
        if len(pairs) > 1:
            several = len(asked or own_methods[folder]) > 1 or folder in elsewhere
            name = f"{folder.name}-{method}" if several else folder.name
            own.run_name, own.log_folder = f"{own.run_name}-{name}", f"{own.log_folder}/{name}"
        yield own, folder, recipes[folder].model
