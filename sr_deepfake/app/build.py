"""Builds what `hydra.utils.instantiate` alone cannot: recipe, trainer, tester, attack and logger of a job."""

import csv
import logging
import os
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.configuration import plain
from sr_deepfake.app.grid import NO_WEIGHTS
from sr_deepfake.app.sweep import COMMAND
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.detectors.callbacks import LAST, OwnSignals, PredictionWriter
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.registry import Recipe
from sr_deepfake.experiment.provenance import describe
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.hardware import torch_device

log = logging.getLogger(__name__)

# Arguments of the Trainer that change no weight.
_NEUTRAL = (
    "_target_", "accelerator", "default_root_dir", "enable_model_summary", "enable_progress_bar", "limit_test_batches",
    "log_every_n_steps", "num_sanity_val_steps", "plugins", "profiler", "use_distributed_sampler",
)  # fmt: skip
# Arguments of Lightning's Trainer that mean something else here, or nothing.
_NOT_OBEYED = {
    "overfit_batches": "the data module draws the batches; trainer.limit_train_batches=N takes fewer of them",
    "reload_dataloaders_every_n_epochs": "the faces of an epoch depend on its number alone",
    "default_root_dir": "paths.outputs=FOLDER says where everything goes",
}
# Lightning's short names.
_PRECISIONS = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}

# What Lightning finds worth telling (devices that are absent, its own services) is told by us or not of use.
for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.WARNING)
for _message in ("does not have many workers", "smaller than the logging interval", "LeafSpec", "broadcast_buffers",
                 "exists and is not empty", "isinstance.treespec"):  # fmt: skip
    warnings.filterwarnings("ignore", message=f".*{_message}.*")


def outputs(cfg: DictConfig) -> Path:
    """The folder where every run writes."""
    return Path(cfg.paths.outputs)


def device(cfg: DictConfig) -> torch.device:
    """The device of `trainer`.

    Raises:
        UserError: it is not there.
    """
    return torch_device(str(cfg.trainer.accelerator))


def recipe(cfg: DictConfig, detector: Detector, data: FaceDataModule) -> Recipe:
    """Everything that changes the training which the configuration describes."""
    if type(detector) is not Detector:
        raise UserError(
            f"model._target_={cfg.model._target_}: what is trained is a sr_deepfake.detectors.Detector. A detector "
            "from elsewhere is tested: python -m sr_deepfake.evaluate with the same options"
        )
    model = {key: value for key, value in plain(cfg.model).items() if key not in ("label", "pretrained")}
    trainer = {key: value for key, value in plain(cfg.trainer).items() if key not in _NEUTRAL}
    trainer |= {"precision": _precision(cfg), "devices": _devices(cfg)}
    callbacks = {str(name): plain(node) for name, node in cfg.callbacks.items() if name not in NO_WEIGHTS}
    faces = {"name": data.faces.name, **{split: fingerprint(data.rows(split)) for split in ("train", "val")}}
    training = {
        "model": model | {"weights": detector.weights},
        "trainer": trainer,
        "callbacks": callbacks,
        "faces": faces,
        "batch_size": data.batch_size,
        "image_size": data.image_size,
        "resize": data.resize,
        "augmentation": data.augmentation.settings,
        "augment_on": data.augment_on,
        "defence": None if data.defence is None else data.defence.describe(device(cfg)),
        "seeds": [cfg.seed, data.seed],
    }
    return Recipe(detector.label, data.forgery, plain(cfg.protocol), training)


def trainer(
    cfg: DictConfig, folder: Path, logger: Logger | None, detector: Detector, data: FaceDataModule
) -> lightning.Trainer:
    """The trainer of `trainer`, with the callbacks of `callbacks`, whose checkpoints go to a folder.

    Raises:
        UserError: it cannot train this detector on these devices.
    """
    callbacks: list[Callback] = []
    for name, settings in cfg.callbacks.items():
        if not OmegaConf.is_dict(settings) or "_target_" not in settings:
            raise UserError(f"callbacks.{name} is no callback: callbacks=default, or callbacks=authors_code")
        place = {"dirpath": str(folder)} if settings.get("dirpath", "") is None else {}
        callback = instantiate(settings, **place)
        needless = (isinstance(callback, LearningRateMonitor) and logger is None) or (
            isinstance(callback, ProgressBar) and not cfg.trainer.enable_progress_bar
        )
        if not needless:
            callbacks.append(callback)
    best = cfg.callbacks.get("model_checkpoint") or {}
    if best.get("filename") != "best" or best.get("save_top_k", 1) != 1:
        raise UserError(
            "callbacks.model_checkpoint has to keep one epoch, as best.ckpt (filename, save_top_k)"
        )
    for name in _NOT_OBEYED:
        if cfg.trainer.get(name):
            raise UserError(f"trainer.{name}={cfg.trainer[name]} is not obeyed here: {_NOT_OBEYED[name]}")
    if cfg.trainer.limit_val_batches == 0:
        raise UserError("trainer.limit_val_batches=0: validation chooses the epoch that is kept")
    made = _trainer(cfg, callbacks, logger)
    if isinstance(made.strategy.launcher, _SubprocessScriptLauncher):
        raise UserError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} would start the whole "
            "program several times. trainer=ddp trains one detector on several devices (on CPU processes: trainer=ddp "
            "trainer.accelerator=cpu trainer.devices=2)"
        )
    if made.world_size > 1:  # what is wrong is told before other processes are started
        data.check_devices(made.world_size)
        detector.check_devices(made.world_size, made.strategy.root_device)
    return made


def announce(trainer: lightning.Trainer, recipe: Recipe, data: FaceDataModule) -> None:
    """Say what is about to be trained, on what, from which weights."""
    folder = Path(str(trainer.checkpoint_callback.dirpath))  # type: ignore[union-attr]  # there is one
    log.info(
        "%s %s: %d faces, %d for validation, up to %s epochs, on %s × %s, %s; weights: %s.",
        "Resuming" if (folder / LAST).exists() else "Training",
        recipe.name, len(data.rows("train")), len(data.rows("val")), trainer.max_epochs, trainer.num_devices,
        trainer.strategy.root_device.type, trainer.precision, recipe.training["model"]["weights"],
    )  # fmt: skip


def tester(cfg: DictConfig, predictions: Path | None, logger: Logger | None) -> lightning.Trainer:
    """The trainer as it tests: on one device, in float32, its predictions written to a file, if there is to be one."""
    if isinstance(logger, CSVLogger) and Path(logger.experiment.metrics_file_path).is_file():
        # Processes that trained together wrote it; this one has to know its columns to go on.
        with open(logger.experiment.metrics_file_path, encoding="utf-8", newline="") as file:
            logger.experiment.metrics_keys = next(csv.reader(file), [])
    callbacks: list[Callback] = [OwnSignals(), *([PredictionWriter(predictions)] if predictions else [])]
    if cfg.trainer.enable_progress_bar and "progress_bar" in cfg.callbacks:
        callbacks.append(instantiate(cfg.callbacks.progress_bar))
    devices = plain(cfg.trainer.devices)
    if HydraConfig.get().job.name == "evaluate":
        require_one_device(cfg)
    one = devices[:1] if isinstance(devices, list) else 1
    alone = {"devices": one, "strategy": "auto", "precision": "32-true", "enable_checkpointing": False}
    return _trainer(cfg, callbacks, logger, **alone)


def _trainer(
    cfg: DictConfig, callbacks: list[Callback], logger: Logger | None, **options: Any
) -> lightning.Trainer:
    device(cfg)  # tells better than Lightning what is not there
    bar = bool(cfg.trainer.enable_progress_bar) and any(isinstance(call, ProgressBar) for call in callbacks)
    made: lightning.Trainer = instantiate(
        cfg.trainer, callbacks=callbacks, logger=logger or False, enable_progress_bar=bar, **options
    )
    return made


def attack(cfg: DictConfig) -> Attack | None:
    """The attack of `attack`, with the cache of attacked faces where `cache.attacked` says so; None: no attack.

    Raises:
        UserError: an option makes no sense, or the attack has no name.
    """
    made = instantiate(cfg.attack)
    if made is None:
        return None
    if not isinstance(made, Attack):
        raise UserError(
            f"attack: {type(made).__name__} does not name itself; derive it from sr_deepfake.attacks.Attack"
        )
    wish = choose(cfg.cache.attacked, ["auto", "true", "false"], "cache.attacked")
    if wish == "false" or (wish == "auto" and device(cfg).type == "cuda"):
        return made
    return CachedAttack(made, Path(cfg.cache.folder).expanduser())


@contextmanager
def logger(cfg: DictConfig) -> Iterator[Logger | None]:
    """The logger of `logger`, or None; closed at the end, so that the next job of a sweep gets a run of its own."""
    made: Logger | None = instantiate(cfg.logger)
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


def provenance(cfg: DictConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """Provenance of this job's results, as of now.

    Args:
        cfg: the configuration.
        data: name and fingerprints of the faces.
    """
    name = torch.cuda.get_device_name() if device(cfg).type == "cuda" else _processor()
    job = HydraConfig.get()
    choices = {str(group): str(choice) for group, choice in job.runtime.choices.items()}
    return describe(
        plain(cfg),
        list(job.overrides.task),
        choices,
        f"{name}; {device(cfg).type}, {cfg.trainer.precision}",
        data,
    )


def command_id() -> str:
    """Identify this start of a program, for all jobs of its sweep; a queue that restarts a job keeps it."""
    hydra = HydraConfig.get()
    if COMMAND in os.environ:
        return os.environ[COMMAND]
    return str(hydra.sweep.dir if hydra.mode == RunMode.MULTIRUN else hydra.runtime.output_dir)


def _precision(cfg: DictConfig) -> str:
    """Lightning's full name of the number format of the training.

    Raises:
        UserError: the weights would not be float32, as the test needs them.
    """
    name = str(cfg.trainer.precision)
    return choose(_PRECISIONS.get(name, name), ["32-true", "bf16-mixed", "16-mixed"], "trainer.precision")


def require_one_device(cfg: DictConfig) -> None:
    """Refuse several devices where one does the work.

    Raises:
        UserError: `trainer.devices` asks for more.
    """
    devices = plain(cfg.trainer.devices)
    if isinstance(devices, int | str) and str(devices) not in ("1", "auto"):
        raise UserError(
            f"trainer.devices={devices}: `{HydraConfig.get().job.name}` works on one device; trainer.devices=[1] names "
            "another"
        )


def _devices(cfg: DictConfig) -> int:
    """Number of devices that train together."""
    devices = plain(cfg.trainer.devices)
    if isinstance(devices, list):
        return len(devices)
    every = devices in (-1, "-1", "auto")
    return (torch.cuda.device_count() if device(cfg).type == "cuda" else 1) if every else int(devices)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
