"""From the configuration to the objects that the programs call; the steps that several programs share."""

import glob
import hashlib
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf
from torch import nn
from tqdm import tqdm

import sr_deepfake
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.loaders import face_loader
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.sources import FaceSet
from sr_deepfake.detectors.backbones import Weights
from sr_deepfake.detectors.runtime import Runtime, choose_runtime
from sr_deepfake.detectors.store import Recipe, load_detector, read_recipe
from sr_deepfake.errors import UserError
from sr_deepfake.files import write_json
from sr_deepfake.metrics.predictions import write_predictions
from sr_deepfake.metrics.scoring import score_faces
from sr_deepfake.metrics.setups import cell_metrics, write_metrics
from sr_deepfake.reporting.table import print_cell_table

log = logging.getLogger(__name__)


def runtime(cfg: DictConfig) -> Runtime:
    """The device and precision of `trainer`."""
    options = {name: cfg.trainer[name] for name in ("accelerator", "precision", "channels_last", "workers")}
    return choose_runtime(**options)


def recipe(
    cfg: DictConfig, weights: Weights, machine: Runtime, data: str, train: pd.DataFrame, val: pd.DataFrame
) -> Recipe:
    """Everything that changes the training which the configuration describes.

    Args:
        cfg: the configuration.
        weights: what the backbone starts from.
        machine: device and precision.
        data: name of the data set.
        train: the faces to train on.
        val: the faces that choose the epoch.
    """
    return Recipe(
        model=str(cfg.model.label),
        backbone=str(cfg.model.name),
        weights=weights.origin,
        forgery=str(cfg.forgery_method.name),
        protocol=_plain(cfg.protocol),
        data={"name": data, "train": fingerprint(train), "val": fingerprint(val)},
        seed=int(cfg.seed),
        precision=machine.precision,
    )


def outputs(cfg: DictConfig) -> Path:
    """The folder where every run writes."""
    return Path(cfg.paths.outputs)


@contextmanager
def training_logger(cfg: DictConfig) -> Iterator[Logger | None]:
    """The logger of `logger`, or None; closed at the end, so that the next job of a sweep gets a run of its own."""
    made: Logger | None = hydra.utils.instantiate(cfg.logger.module)
    if made is not None:
        made.log_hyperparams(_plain(cfg))
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
    made: nn.Module | None = hydra.utils.instantiate(cfg.attack.module)
    if made is None or not cfg.cache.attacked:
        return made
    settings = _without_files(_plain(cfg.attack.module))
    return CachedAttack(made, Path(cfg.cache.folder).expanduser(), settings)


def evaluate_cell(
    cfg: DictConfig,
    folder: Path,
    faces: FaceSet,
    forgery: str,
    machine: Runtime,
    attack: nn.Module | None,
    logger: Logger | None = None,
) -> dict[str, Any]:
    """Score the test faces with a stored detector, clean and attacked, write the results and show the table.

    Args:
        cfg: the configuration.
        folder: the detector's.
        faces: with the test set.
        forgery: the method whose fakes are tested.
        machine: device and precision.
        attack: of `attack`.
        logger: of Lightning.

    Returns:
        The metrics, as in `metrics.json`.
    """
    test = faces.of("test", forgery, cfg.protocol.frames)
    trained = read_recipe(folder)
    detector = load_detector(folder).to(machine.device)
    if machine.channels_last:
        detector.backbone.to(memory_format=torch.channels_last)
    with tqdm(total=len(test), desc="Testing", unit="face", disable=not cfg.trainer.progress) as bar:
        predictions = score_faces(
            detector,
            attack if attack is None else attack.to(machine.device),
            face_loader(test, faces.folder, workers=machine.workers),
            device=machine.device,
            autocast=machine.autocast,
            progress=bar.update,
        )
    metrics = cell_metrics(predictions)
    cell = {
        "model": trained.model,
        "forgery": forgery,
        "attack": str(cfg.attack.label),
        "data": faces.name,
        "protocol": trained.protocol["name"],
        "detector": str(folder),
        "detector_fingerprint": trained.fingerprint,
        "test_faces": fingerprint(test),
        "illustration": "illustration" in cfg.data,
        "version": sr_deepfake.__version__,
    }
    out = _result_folder(cfg, folder, cell)
    write_predictions(out / "predictions.parquet", predictions)
    write_metrics(out / "metrics.json", {"cell": cell, **metrics})
    write_json(out / "config.json", _plain(cfg))
    if logger is not None:
        logger.log_metrics(_flat(metrics, "test/"))
    title = (
        f"{trained.model} on {forgery}, attack {cfg.attack.label} ({len(test)} test faces of {faces.name})"
    )
    print_cell_table(metrics, title, caption=cfg.data.get("illustration"))
    print(
        f"Detector:    {folder}\nPredictions: {out / 'predictions.parquet'}\nMetrics:     {out / 'metrics.json'}"
    )
    if isinstance(attack, CachedAttack):
        _tell_what_was_cached(attack, machine.device)
    return metrics


def _without_files(settings: Any) -> Any:
    """Settings less where weights lie: the cache knows weights by what is in them."""
    if isinstance(settings, dict):
        return {
            name: _without_files(value)
            for name, value in settings.items()
            if name not in ("weights", "cache")
        }
    if isinstance(settings, list):
        return [_without_files(value) for value in settings]
    return settings


def _tell_what_was_cached(attack: CachedAttack, device: torch.device) -> None:
    place = attack.place(device)
    if attack.refused:
        log.warning(
            "Faces attacked anew, since their files in %s are damaged or not theirs: %d.",
            place,
            attack.refused,
        )
    print(f"Attacked:    {attack.found} faces from the cache, {attack.computed} computed ({place})")


def _result_folder(cfg: DictConfig, detector: Path, cell: dict[str, Any]) -> Path:
    """`outputs/results/<detector>-<attack>-<digits>/`; the digits differ with the attack's options and the test set."""
    attack = {
        "module": _plain(cfg.attack.module),
        "test_faces": cell["test_faces"],
        "forgery": cell["forgery"],
    }
    digits = hashlib.sha256(json.dumps(attack, sort_keys=True).encode()).hexdigest()[:6]
    out = outputs(cfg) / "results" / f"{detector.name}-{cell['attack']}-{digits}"
    out.mkdir(parents=True, exist_ok=True)
    return out


def _flat(metrics: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Nested metrics as `test/both/fnr` and so on."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            flat[f"{prefix}{name}"] = float(value)
    return flat


def _plain(node: Any) -> Any:
    """A part of the configuration as plain values, interpolations resolved."""
    if not OmegaConf.is_config(node):
        return node
    return OmegaConf.to_container(node, resolve=True)
