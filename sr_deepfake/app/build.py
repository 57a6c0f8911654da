"""From the configuration to objects: the one place, with the programs, that reads it."""

import csv
import logging
import platform
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.app.configuration import plain
from sr_deepfake.app.evaluation import Evaluation
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.detectors.callbacks import LAST, OwnSignals
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.recipe import Recipe
from sr_deepfake.experiment.provenance import describe
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.hardware import torch_device

log = logging.getLogger(__name__)

# Arguments of the Trainer, and callbacks, that change no weight.
_NEUTRAL = (
    "_target_", "accelerator", "default_root_dir", "enable_model_summary", "enable_progress_bar", "limit_test_batches",
    "log_every_n_steps", "num_sanity_val_steps", "plugins", "profiler", "use_distributed_sampler",
)  # fmt: skip
_NEUTRAL_CALLBACKS = ("last_checkpoint", "learning_rate_monitor", "progress_bar", "signals")
# Arguments of Lightning's Trainer that are not supported, and what serves instead.
_NOT_SUPPORTED = {
    "overfit_batches": "the data module draws the batches; trainer.limit_train_batches=N takes fewer of them",
    "reload_dataloaders_every_n_epochs": "the faces of an epoch depend on its number alone",
    "default_root_dir": "paths.outputs=FOLDER says where everything goes",
}
_PRECISIONS = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}  # Lightning's short names

# Lightning's remarks on absent devices and on its own services are reported by us, or are of no use.
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
for _message in ("does not have many workers", "smaller than the logging interval", "LeafSpec", "broadcast_buffers",
                 "exists and is not empty", "isinstance.treespec"):  # fmt: skip
    warnings.filterwarnings("ignore", message=f".*{_message}.*")


def device(cfg: DictConfig) -> torch.device:
    """The device of `trainer`."""
    return torch_device(str(cfg.trainer.accelerator))


def recipe(cfg: DictConfig, detector: Detector, data: FaceDataModule) -> Recipe:
    """Everything that changes the training which the configuration describes."""
    if type(detector) is not Detector:
        raise UserError(
            f"model._target_={cfg.model._target_}: only a sr_deepfake.detectors.Detector can be trained. An external "
            "detector is tested: python -m sr_deepfake.evaluate with the same options"
        )
    model = {key: value for key, value in plain(cfg.model).items() if key not in ("label", "pretrained")}
    trainer = {key: value for key, value in plain(cfg.trainer).items() if key not in _NEUTRAL}
    precision = _PRECISIONS.get(str(cfg.trainer.precision), str(cfg.trainer.precision))
    choose(precision, ["32-true", "bf16-mixed", "16-mixed"], "trainer.precision")
    trainer |= {"precision": precision, "devices": _devices(cfg)}
    callbacks = {str(name): plain(node) for name, node in cfg.callbacks.items() if name not in _NEUTRAL_CALLBACKS}
    # `seeds` below says it once, so that trainings of several seeds are seen as such.
    for settings in callbacks.values():
        if isinstance(settings, dict):
            settings.pop("seed", None)
    faces = {split: fingerprint(data.rows(split)) for split in ("train", "val")}
    training = {
        "model": model | {"weights": detector.weights},
        "trainer": trainer,
        "callbacks": callbacks,
        "faces": faces | {"name": data.faces.name, "count": len(data.rows("train"))},
        "batch_size": data.batch_size,
        "image_size": data.image_size,
        "resize": data.resize,
        "augmentation": data.augmentation.settings,
        "augment_on": data.augment_on,
        "defence": None if data.defence is None else data.defence.describe(device(cfg)),
        "seeds": [cfg.seed, data.seed],
    }
    return Recipe(model=detector.label, forgery=data.forgery, protocol=plain(cfg.protocol), training=training)


def trainer(
    cfg: DictConfig, folder: Path, logger: Logger | None, detector: Detector, data: FaceDataModule
) -> lightning.Trainer:
    """The trainer of `trainer`, with the callbacks of `callbacks`, whose checkpoints go to a folder."""
    callbacks: list[Callback] = []
    for name, settings in cfg.callbacks.items():
        if not OmegaConf.is_dict(settings) or "_target_" not in settings:
            raise UserError(f"callbacks.{name} has no _target_: callbacks=default, or callbacks=authors_code")
        path = {"dirpath": str(folder)} if settings.get("dirpath", "") is None else {}
        callback = instantiate(settings, **path)
        needless = (isinstance(callback, LearningRateMonitor) and logger is None) or (
            isinstance(callback, ProgressBar) and not cfg.trainer.enable_progress_bar
        )
        if not needless:
            callbacks.append(callback)
    best = cfg.callbacks.get("model_checkpoint") or {}
    if best.get("filename") != "best" or best.get("save_top_k", 1) != 1:
        raise UserError("callbacks.model_checkpoint must keep one epoch, as best.ckpt (filename, save_top_k)")
    for name, instead in _NOT_SUPPORTED.items():
        if cfg.trainer.get(name):
            raise UserError(f"trainer.{name}={cfg.trainer[name]} is not supported: {instead}")
    if cfg.trainer.limit_val_batches == 0:
        raise UserError("trainer.limit_val_batches=0: validation chooses the epoch that is kept")
    made = _trainer(cfg, callbacks, logger)
    spawns = OmegaConf.is_dict(cfg.trainer.strategy) or str(cfg.trainer.strategy).endswith(("spawn", "fork"))
    if made.num_devices > 1 and not spawns:
        raise UserError(
            f"trainer.devices={cfg.trainer.devices} with trainer.strategy={cfg.trainer.strategy} would start the whole "
            "program several times. trainer=ddp trains one detector on several devices (on CPU processes: trainer=ddp "
            "trainer.accelerator=cpu trainer.devices=2)"
        )
    if made.world_size > 1:  # before other processes are started
        data.check_devices(made.world_size)
        detector.check_devices(made.world_size, made.strategy.root_device)
    return made


def announce(trainer: lightning.Trainer, folder: Path, recipe: Recipe, data: FaceDataModule) -> None:
    """Log what is about to be trained, on what, from which weights."""
    log.info(
        "%s %s: %d faces, %d for validation, up to %s epochs, on %s × %s, %s; weights: %s.",
        "Resuming" if (folder / LAST).exists() else "Training",
        recipe.name, len(data.rows("train")), len(data.rows("val")), trainer.max_epochs, trainer.num_devices,
        trainer.strategy.root_device.type, trainer.precision, recipe.training["model"]["weights"],
    )  # fmt: skip


def evaluation(cfg: DictConfig, force: bool) -> Evaluation:
    """How detectors are scored."""
    fpr = cfg.threshold.fpr
    if fpr is not None and (not isinstance(fpr, int | float) or not 0 < fpr < 1):
        raise UserError(f"threshold.fpr must be a false positive rate between 0 and 1, or null, not {fpr}")
    if not isinstance(cfg.evaluate.examples, int) or cfg.evaluate.examples < 0:
        raise UserError(f"evaluate.examples must be an integer ≥ 0, not {cfg.evaluate.examples}")
    return Evaluation(
        outputs=Path(cfg.paths.outputs),
        device=device(cfg),
        tester=partial(_tester, cfg),
        provenance=partial(provenance, cfg),
        force=force,
        threshold_fpr=fpr,
        limit=cfg.trainer.limit_test_batches,
        examples=cfg.evaluate.examples,
        explain=bool(cfg.evaluate.explain),
        fast_dev_run=bool(cfg.trainer.get("fast_dev_run")),
    )


def _tester(cfg: DictConfig, callbacks: Sequence[Callback], logger: Logger | None) -> lightning.Trainer:
    """The trainer as it tests: on one device, in float32."""
    if isinstance(logger, CSVLogger) and Path(logger.experiment.metrics_file_path).is_file():
        # Processes that trained together wrote it; this one has to know its columns to go on.
        with open(logger.experiment.metrics_file_path, encoding="utf-8", newline="") as file:
            logger.experiment.metrics_keys = next(csv.reader(file), [])
    every: list[Callback] = [OwnSignals(), *callbacks]
    if cfg.trainer.enable_progress_bar and "progress_bar" in cfg.callbacks:
        every.append(instantiate(cfg.callbacks.progress_bar))
    devices = plain(cfg.trainer.devices)
    several = isinstance(devices, int | str) and str(devices) not in ("1", "auto")
    if several and HydraConfig.get().job.name == "evaluate":
        raise UserError(f"trainer.devices={devices}: `evaluate` works on one device; trainer.devices=[1] names another")
    one = devices[:1] if isinstance(devices, list) else 1
    return _trainer(cfg, every, logger, devices=one, strategy="auto", precision="32-true", enable_checkpointing=False)


def _trainer(cfg: DictConfig, callbacks: list[Callback], logger: Logger | None, **options: Any) -> lightning.Trainer:
    device(cfg)  # a better message than Lightning's where it does not exist
    bar = bool(cfg.trainer.enable_progress_bar) and any(isinstance(call, ProgressBar) for call in callbacks)
    made: lightning.Trainer = instantiate(
        cfg.trainer, callbacks=callbacks, logger=logger or False, enable_progress_bar=bar, **options
    )
    if made.world_size == 1:  # whatever rank srun or another launcher left in the environment
        setattr(rank_zero_only, "rank", 0)  # noqa: B010  # for mypy, which takes it for a plain function
    return made


def attack(cfg: DictConfig) -> Attack | None:
    """The attack of `attack`, with the cache of attacked faces where `cache.attacked` says so; None: no attack."""
    made = instantiate(cfg.attack)
    if made is None:
        return None
    if not isinstance(made, Attack):
        raise UserError(
            f"attack: {type(made).__name__} does not name itself; derive it from sr_deepfake.attacks.Attack"
        )
    if made.couples_faces:
        return made
    kept = choose(cfg.cache.attacked, ["auto", "true", "false"], "cache.attacked")
    if kept == "false" or (kept == "auto" and device(cfg).type == "cuda"):
        return made
    return CachedAttack(made, Path(cfg.cache.folder).expanduser())


@contextmanager
def logger(cfg: DictConfig) -> Iterator[Logger | None]:
    """The logger of `logger`, or None; closed at the end, so that the next job of a sweep gets a run of its own."""
    made: Logger | None = instantiate(cfg.logger)
    status = "failed"
    if made is not None:
        made.log_hyperparams(plain(cfg))
    try:
        yield made
        status = "success"
    finally:
        if made is not None:
            made.finalize(status)
        if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
            sys.modules["wandb"].finish(exit_code=int(status != "success"))


def provenance(cfg: DictConfig, data: Mapping[str, str]) -> dict[str, Any]:
    """Provenance of this job's results, as of now."""
    kind, job = device(cfg).type, HydraConfig.get()
    choices = {str(group): str(choice) for group, choice in job.runtime.choices.items()}
    machine = f"{torch.cuda.get_device_name() if kind == 'cuda' else _processor()}; {kind}, {cfg.trainer.precision}"
    return describe(plain(cfg), list(job.overrides.task), choices, machine, data)


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
