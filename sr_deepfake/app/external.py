"""From the configuration to a detector that was trained elsewhere, and its folder."""

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app.build import outputs
from sr_deepfake.app.configuration import plain
from sr_deepfake.detectors import external
from sr_deepfake.detectors.external.base import ExternalDetector
from sr_deepfake.detectors.registry import register
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
