"""Training a super-resolution network on photos: resumed when interrupted, its best weights kept."""

import hashlib
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar, WeightAveraging
from lightning.pytorch.loggers import Logger
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler

from sr_deepfake.super_resolution.edsr import basicsr_state
from sr_deepfake.super_resolution.training.module import Schedule, SuperResolutionTraining
from sr_deepfake.super_resolution.training.photos import Patches, PatchSettings, ValidationPhotos
from sr_deepfake.system.files import replacing, write_json

FINISHED = "training.json"
LAST, BEST = "last.ckpt", "best.ckpt"

log = logging.getLogger(__name__)


class _BestAndLast(Checkpoint):
    """Writes `last.ckpt` after every validation, and `best.ckpt` when the PSNR is higher than ever before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = float("-inf")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Judge by the validation that ended just before."""
        psnr = float(trainer.callback_metrics["val/psnr"])
        improved = psnr > self.best
        # The best value travels in both files, so it is brought up to date first.
        self.best = max(self.best, psnr)
        for name in (BEST, LAST) if improved else (LAST,):
            with replacing(self.folder / name) as beside:
                trainer.save_checkpoint(beside)

    def state_dict(self) -> dict[str, Any]:
        """State that a resumed training needs."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where an interrupted training was."""
        self.best = state_dict["best"]


class _Keys(Sampler[int]):
    """The keys of one round's patches; every round has others."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the round (the training loop calls this, after a resumption too)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.epoch * self.count, (self.epoch + 1) * self.count))


def train_network(
    network: nn.Module,
    patches: Patches,
    validation: ValidationPhotos,
    schedule: Schedule,
    folder: Path,
    *,
    accelerator: str = "cpu",
    precision: str = "32-true",
    workers: int = 0,
    logger: Logger | None = None,
    progress: ProgressBar | None = None,
) -> Path:
    """Train a network, or go on where a training in `folder` was interrupted.

    Args:
        network: the trainable network of EDSR (`edsr_network`).
        patches: what it learns from.
        validation: photos whose mean PSNR chooses the weights that are kept.
        schedule: how long and how fast.
        folder: where the state and the result go; one folder is one training.
        accelerator: Lightning's name of the device.
        precision: Lightning's name of the number format.
        workers: processes that cut patches.
        logger: of Lightning.
        progress: what shows how far it is; None for nothing.

    Returns:
        The weights: a safetensors file in half precision, in basicsr's names.
    """
    result = folder / "weights.safetensors"
    if (folder / FINISHED).exists() and result.exists():
        log.info("This training is finished already: %s", folder)
        return result
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    lightning.seed_everything(schedule.seed, workers=True, verbose=False)
    keeper = _BestAndLast(folder)
    callbacks: list[Callback] = [WeightAveraging(avg_fn=_running_average(schedule.average)), keeper]
    if progress is not None:
        callbacks.append(progress)
    check = min(schedule.check, schedule.steps)
    trainer = lightning.Trainer(
        accelerator=accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]  # one of Lightning's names
        max_epochs=schedule.length // check,
        logger=logger if logger is not None else False,
        callbacks=callbacks,
        enable_model_summary=False,
        enable_progress_bar=progress is not None,
        num_sanity_val_steps=0,
        log_every_n_steps=min(50, check),
    )
    interrupted = folder / LAST
    log.info(
        "%s %s: %d steps, on %s in %s.",
        "Resuming" if interrupted.exists() else "Training", folder, schedule.length, accelerator, precision,
    )  # fmt: skip
    module = SuperResolutionTraining(network, schedule)
    loader = DataLoader(
        patches,
        batch_size=schedule.batch,
        sampler=_Keys(check * schedule.batch),
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        try:
            trainer.fit(
                module,
                loader,
                DataLoader(validation, batch_size=None),
                ckpt_path=interrupted if interrupted.exists() else None,
                weights_only=True,
            )
        except SystemExit:
            # What Lightning makes of Ctrl-C; the program says how to go on.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    with replacing(result) as beside:
        save_file(
            {name: tensor.half().contiguous() for name, tensor in basicsr_state(network).items()}, beside
        )
    write_json(
        folder / FINISHED,
        {
            "schedule": asdict(schedule),
            "best_step": int(best["global_step"]),
            "validation_psnr": keeper.best,
        },
    )
    return result


def training_folder(
    parent: Path,
    name: str,
    network: nn.Module,
    patches: PatchSettings,
    schedule: Schedule,
    photos: Sequence[Sequence[Path]],
) -> Path:
    """The folder of a training: `<name>-<digits>`, the digits differ with all that changes the result.

    Args:
        parent: where it lies.
        name: what the training is called.
        network: with the weights that the training starts from.
        patches: how patches are cut.
        schedule: how long and how fast.
        photos: files, folder by folder; their names and sizes count.
    """
    digest = hashlib.sha256()
    files = [[(path.name, path.stat().st_size) for path in group] for group in photos]
    settings = {"patches": asdict(patches), "schedule": asdict(schedule), "photos": files}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for tensor in basicsr_state(network).values():
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return parent / f"{name}-{digest.hexdigest()[:6]}"


def _running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential average whose memory grows with its age: random first weights are soon forgotten."""

    def average(averaged: Tensor, current: Tensor, age: Tensor | int) -> Tensor:
        return averaged.lerp(current, 1 - min(decay, (1 + int(age)) / (10 + int(age))))

    return average
