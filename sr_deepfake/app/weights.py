"""All weights that an experiment needs, fetched on a machine that has a network, for those that have none."""

from huggingface_hub import constants
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from sr_deepfake.app.build import outputs
from sr_deepfake.app.grid import grid_of
from sr_deepfake.app.sweep import mendable
from sr_deepfake.detectors.pretrained import find_weights
from sr_deepfake.super_resolution.restoration import restoration_network
from sr_deepfake.system.errors import UserError

_OWN = ("weights=", "prepare.")


def fetch_weights(cfg: DictConfig) -> str:
    """Fetch the ImageNet weights of all models that a command of `train` spans, and those of its SR network.

    Args:
        cfg: of `prepare`; what was typed beside `weights=true` is taken for `train`'s.

    Returns:
        What lies where, one a line.

    Raises:
        UserError: some cannot be had; the message names all of them.
    """
    typed = [word for word in HydraConfig.get().overrides.task if not word.startswith(_OWN)]
    found, failed = [], []
    models = [run.settings["model"] for run in grid_of("train", typed).runs if "model" in run.settings]
    for name, side, file in dict.fromkeys(
        (m.get("backbone"), m.get("image_size"), m.get("weights")) for m in models
    ):
        try:
            found.append(f"{name}: {find_weights(str(name), 'true', int(side), file).origin}")
        except UserError as error:
            failed.append(str(error))
    try:
        weights = cfg.sr_model.get("weights")
        if any(word.startswith("attack=") and "restoration" in word for word in typed):
            found.append(f"{restoration_network(weights).name}: weights of sr_model.weights={weights}")
        else:
            network = instantiate(cfg.sr_model)
            found.append(f"{network.name}, K = {network.scale}: weights of sr_model.weights={weights}")
    except (InstantiationException, UserError) as error:
        failed.append(str(mendable(error, outputs(cfg)) or error))
    if failed:
        raise UserError("; ".join(failed))
    places = f"timm's in {constants.HF_HUB_CACHE}, SR networks' in {cfg.paths.cache}/weights"
    return "\n".join(
        [*found, f"They lie in these folders, which a machine without a network may be given: {places}"]
    )
