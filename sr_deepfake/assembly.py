"""From the configuration to the objects that the programs call; the steps that several programs share."""

import glob
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn

from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.detectors.backbones import Weights
from sr_deepfake.detectors.runtime import Runtime, choose_runtime
from sr_deepfake.detectors.store import Recipe
from sr_deepfake.errors import UserError, choose
from sr_deepfake.provenance import describe


def runtime(cfg: DictConfig) -> Runtime:
    """The device and precision of `trainer`."""
    options = {
        name: cfg.trainer[name]
        for name in ("accelerator", "precision", "channels_last", "workers", "devices")
    }
    return choose_runtime(**options)


def recipe(
    cfg: DictConfig,
    weights: Weights,
    machine: Runtime,
    data: str,
    train: pd.DataFrame,
    val: pd.DataFrame,
    defence: Mapping[str, Any] | None = None,
) -> Recipe:
    """Everything that changes the training which the configuration describes.

    Args:
        cfg: the configuration.
        weights: what the backbone starts from.
        machine: device and precision.
        data: name of the data set.
        train: the faces to train on.
        val: the faces that choose the epoch.
        defence: what `Recipe.defence` says.
    """
    return Recipe(
        model=str(cfg.model.label),
        backbone=str(cfg.model.name),
        weights=weights.origin,
        forgery=str(cfg.forgery_method.name),
        protocol=plain(cfg.protocol),
        data={"name": data, "train": fingerprint(train), "val": fingerprint(val)},
        seed=int(cfg.seed),
        precision=machine.precision,
        defence=defence,
        augmented_on=choose(cfg.trainer.augmentation, ["loader", "device"], "trainer.augmentation"),
    )


def outputs(cfg: DictConfig) -> Path:
    """The folder where every run writes."""
    return Path(cfg.paths.outputs)


@contextmanager
def training_logger(cfg: DictConfig) -> Iterator[Logger | None]:
    """The logger of `logger`, or None; closed at the end, so that the next job of a sweep gets a run of its own."""
    made: Logger | None = hydra.utils.instantiate(cfg.logger.module)
    if made is not None:
        made.log_hyperparams(plain(cfg))
    status = "failed"
    try:
        yield made
        status = "success"
    finally:
        if made is not None:
            made.finalize(status)
        if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
            sys.modules["wandb"].finish(exit_code=int(status != "success"))


def protocol_is_given() -> bool:
    """Whether the command line names a protocol; otherwise a detector is attacked under the one it was trained with."""
    given = HydraConfig.get().overrides.task
    return any(override.startswith("protocol") for override in given)


def find_detectors(wish: Any) -> list[Path]:
    """Folders of trained detectors: one folder, a pattern, or a list of either.

    Raises:
        UserError: there is none.
    """
    wishes = [str(item) for item in (wish if OmegaConf.is_list(wish) else [wish])]
    found: list[Path] = []
    for item in wishes:
        # A folder whose own name holds pattern characters is taken as it is.
        matches = [item] if Path(item).is_dir() else sorted(glob.glob(item))
        folders = [Path(match) for match in matches if (Path(match) / "recipe.json").is_file()]
        if not folders:
            raise UserError(
                f"detector={item}: there is no trained detector there. `python -m sr_deepfake.train` makes one and "
                "prints its folder; `ls outputs/detectors` lists those that exist"
            )
        found += folders
    return found


def attack(cfg: DictConfig) -> nn.Module | None:
    """The attack of `attack`, which remembers its faces if `cache.attacked`; None for attack=none."""
    try:
        made: nn.Module | None = hydra.utils.instantiate(cfg.attack.module)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):  # which Hydra wraps
            raise error.__cause__ from None
        raise
    if made is None or not cfg.cache.attacked:
        return made
    settings = without_files(plain(cfg.attack.module))
    return CachedAttack(made, Path(cfg.cache.folder).expanduser(), settings)


def provenance_of(cfg: DictConfig, machine: Runtime, data: Mapping[str, str]) -> dict[str, Any]:
    """Where what this job makes comes from, as of now.

    Args:
        cfg: the configuration.
        machine: device and precision.
        data: name and fingerprints of the faces.
    """
    gpu = machine.device.type == "cuda"
    device = torch.cuda.get_device_name() if gpu else _processor()
    return describe(plain(cfg), f"{device}; {machine}", data)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def without_files(settings: Any) -> Any:
    """Settings less where weights lie: the cache knows weights by what is in them."""
    if isinstance(settings, dict):
        return {
            name: without_files(value) for name, value in settings.items() if name not in ("weights", "cache")
        }
    if isinstance(settings, list):
        return [without_files(value) for value in settings]
    return settings


def plain(node: Any) -> Any:
    """A part of the configuration as plain values, interpolations resolved."""
    if not OmegaConf.is_config(node):
        return node
    return OmegaConf.to_container(node, resolve=True)
