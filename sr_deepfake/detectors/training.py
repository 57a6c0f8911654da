"""Training one detector: reused when finished, resumed when interrupted."""

import functools
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, TQDMProgressBar
from lightning.pytorch.loggers import Logger

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.device_augmentation import DeviceAugmentation
from sr_deepfake.data.loaders import face_loader, training_loader
from sr_deepfake.detectors.backbones import Weights, build_backbone, load_weights
from sr_deepfake.detectors.checkpoints import LAST, Checkpoints, EpochSeed, OwnSignals
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.ranks import Rank, together
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.detectors.store import FINISHED, PROVENANCE, DetectorStore, Recipe, forget, is_finished
from sr_deepfake.detectors.whole_batch import synchronise_batch_norm
from sr_deepfake.errors import UserError
from sr_deepfake.files import write_json

log = logging.getLogger(__name__)


def train_detector(
    recipe: Recipe,
    weights: Weights,
    train: pd.DataFrame,
    val: pd.DataFrame,
    faces: Path,
    *,
    store: DetectorStore,
    runtime: Runtime,
    provenance: Callable[[], Mapping[str, Any]] = dict,
    logger: Logger | None = None,
    force: bool = False,
    progress: bool = True,
    defence: Callable[[], Defence] | None = None,
) -> Path:
    """Train the detector of a recipe, or find it trained.

    Args:
        recipe: what to train; its protocol says how.
        weights: what the backbone starts from.
        train: rows of the manifest to train on.
        val: rows of the manifest that choose the epoch.
        faces: the manifest's folder.
        store: where detectors are kept.
        runtime: device and precision.
        provenance: asked, once the training has ended, for what is to be remembered of it beside the recipe.
        logger: of Lightning.
        force: train again although there is a finished one.
        progress: show a progress bar.
        defence: of `recipe.defence`; asked for only if there is something to train, since it attacks all training
            faces first.

    Returns:
        The detector's folder.

    Raises:
        UserError: a set is empty or has one class only, or cannot be divided among the devices.
    """
    for name, rows in (("training", train), ("validation", val)):
        if rows["label"].nunique() < 2:
            raise UserError(
                f"the {name} set of {recipe.forgery} has {len(rows)} faces of {rows['label'].nunique()} class(es); "
                "pristine and fake ones are needed. `python -m sr_deepfake.prepare` with your data options makes them"
            )
    check_shares(recipe, len(train), len(val), runtime.devices)
    with store.claim(recipe) as folder:
        if force:
            forget(folder)
        if is_finished(folder):
            log.info("Reusing the finished detector %s (train.force=true trains it again).", folder)
            return folder
        if runtime.devices > 1:  # what is wrong with it is told before the work
            network = build_backbone(recipe.backbone, recipe.protocol["image_size"])
            synchronise_batch_norm(network, runtime.device)
        attacked = None if defence is None else defence()
        fit = functools.partial(_fit, recipe, weights, train, val, faces, folder, runtime, attacked)
        if runtime.devices == 1:
            summary = fit(LightningEnvironment(), logger, progress)
        else:
            with together(runtime.devices, fit, runtime.backend) as rank:
                summary = fit(rank, logger, progress)
        write_json(folder / PROVENANCE, provenance())
        write_json(folder / FINISHED, summary)
    return folder


def check_shares(recipe: Recipe, train: int, val: int, devices: int) -> None:
    """See that a batch can be divided among devices so that each has the same number of faces.

    Args:
        recipe: what to train.
        train: number of training faces.
        val: number of validation faces.
        devices: that train it together.

    Raises:
        UserError: it cannot.
    """
    batch = min(recipe.protocol["batch_size"], train)
    if batch % devices:
        possible = ", ".join(str(number) for number in range(1, min(batch, 64) + 1) if batch % number == 0)
        raise UserError(
            f"trainer.devices={devices} does not divide a batch of {batch} faces (protocol.batch_size, or all training "
            f"faces where they are fewer); {possible} do"
        )
    if val < devices:
        raise UserError(f"trainer.devices={devices} are more than the {val} faces for validation: use fewer")


def _fit(
    recipe: Recipe,
    weights: Weights,
    train: pd.DataFrame,
    val: pd.DataFrame,
    faces: Path,
    folder: Path,
    runtime: Runtime,
    defence: Defence | None,
    rank: LightningEnvironment,
    logger: Logger | None = None,
    progress: bool = False,
) -> dict[str, Any]:
    """Train, as one of the processes that train this detector; rank 0 has the logger and the progress bar."""
    protocol = recipe.protocol
    share = (rank.number, rank.count) if isinstance(rank, Rank) else (0, 1)
    # What Lightning finds worth telling (devices that are absent, its own services) is told above or not of use.
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    lightning.seed_everything(recipe.seed, workers=True, verbose=False)
    fakes = int(train["label"].sum())
    detector = Detector(
        backbone=recipe.backbone,
        image_size=protocol["image_size"],
        input=protocol["input"],
        pos_weight=(len(train) - fakes) / fakes,
        optimiser=protocol["optimiser"],
        learning_rate=protocol["learning_rate"],
        momentum=protocol["momentum"],
        weight_decay=protocol["weight_decay"],
        final_learning_rate=protocol["final_learning_rate"],
    )
    on_device = recipe.augmented_on == "device"
    augmentation = (DeviceAugmentation if on_device else Augmentation)(protocol["augmentation"])
    detector.augmentation = augmentation if isinstance(augmentation, DeviceAugmentation) else None
    load_weights(detector.backbone, weights)
    if runtime.devices > 1:
        detector.backbone = synchronise_batch_norm(detector.backbone, runtime.device)
    if runtime.channels_last:
        detector.backbone.to(memory_format=torch.channels_last)

    checkpoints = Checkpoints(folder, protocol["selection"], protocol["patience"])
    callbacks: list[Callback] = [EpochSeed(recipe.seed), checkpoints, OwnSignals()]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    if logger is not None:
        callbacks.append(LearningRateMonitor("step"))
    trainer = lightning.Trainer(
        accelerator=runtime.accelerator,
        devices=runtime.devices,
        strategy=runtime.strategy(),
        plugins=[rank],  # in place of Slurm's, with which Lightning would queue jobs again in its own way
        use_distributed_sampler=False,  # the loaders know the ranks
        precision=runtime.precision,  # type: ignore[arg-type]  # one of Lightning's names
        max_epochs=protocol["epochs"],
        logger=logger if logger is not None else False,
        callbacks=callbacks,
        enable_checkpointing=True,
        enable_model_summary=False,
        enable_progress_bar=progress,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    interrupted = folder / LAST
    log.info(
        "%s %s: %d faces, %d for validation, up to %d epochs, on %s; weights: %s.",
        "Resuming" if interrupted.exists() else "Training",
        folder.name, len(train), len(val), protocol["epochs"], runtime, recipe.weights,
    )  # fmt: skip
    with warnings.catch_warnings():
        # Lightning recommends more workers than a machine that trains on its CPU has cores to spare.
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings(
            "ignore", message=".*broadcast_buffers.*"
        )  # its new name is not in older torch
        try:
            trainer.fit(
                detector,
                training_loader(
                    train,
                    faces,
                    size=protocol["image_size"],
                    augmentation=augmentation,
                    batch_size=protocol["batch_size"],
                    seed=recipe.seed,
                    workers=runtime.workers,
                    defence=defence,
                    share=share,
                ),
                face_loader(val.iloc[share[0] :: share[1]], faces, workers=runtime.workers),
                ckpt_path=interrupted if interrupted.exists() else None,
                weights_only=True,
            )
        except SystemExit as end:
            # What Lightning makes of Ctrl-C; the program says how to go on. A queue's own exit stays what it is.
            if isinstance(end.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
    return {
        "epochs": checkpoints.epochs,
        "best_epoch": checkpoints.best_epoch,
        "best_validation_loss": checkpoints.best_loss,
        "last_validation_auc": checkpoints.last_auc,
    }
