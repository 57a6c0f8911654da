"""Training one detector: reused when finished, resumed when interrupted."""

import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, TQDMProgressBar
from lightning.pytorch.loggers import Logger

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.loaders import face_loader, training_loader
from sr_deepfake.detectors.backbones import Weights, load_weights
from sr_deepfake.detectors.checkpoints import LAST, Checkpoints, EpochSeed
from sr_deepfake.detectors.detector import Detector
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.detectors.store import FINISHED, PROVENANCE, DetectorStore, Recipe, forget, is_finished
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
        UserError: a set is empty or has one class only.
    """
    for name, rows in (("training", train), ("validation", val)):
        if rows["label"].nunique() < 2:
            raise UserError(
                f"the {name} set of {recipe.forgery} has {len(rows)} faces of {rows['label'].nunique()} class(es); "
                "pristine and fake ones are needed. `python -m sr_deepfake.prepare` with your data options makes them"
            )
    with store.claim(recipe) as folder:
        if force:
            forget(folder)
        if is_finished(folder):
            log.info("Reusing the finished detector %s (train.force=true trains it again).", folder)
            return folder
        summary = _fit(recipe, weights, train, val, faces, folder, runtime, logger, progress, defence)
        write_json(folder / PROVENANCE, provenance())
        write_json(folder / FINISHED, summary)
    return folder


def _fit(
    recipe: Recipe,
    weights: Weights,
    train: pd.DataFrame,
    val: pd.DataFrame,
    faces: Path,
    folder: Path,
    runtime: Runtime,
    logger: Logger | None,
    progress: bool,
    defence: Callable[[], Defence] | None,
) -> dict[str, Any]:
    protocol = recipe.protocol
    # What Lightning finds worth telling (devices that are absent, its own services) is told above or not of use.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
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
    load_weights(detector.backbone, weights)
    if runtime.channels_last:
        detector.backbone.to(memory_format=torch.channels_last)

    checkpoints = Checkpoints(folder, protocol["selection"], protocol["patience"])
    callbacks: list[Callback] = [EpochSeed(recipe.seed), checkpoints]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    if logger is not None:
        callbacks.append(LearningRateMonitor("step"))
    trainer = lightning.Trainer(
        accelerator=runtime.accelerator,
        devices=1,
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
        try:
            trainer.fit(
                detector,
                training_loader(
                    train,
                    faces,
                    size=protocol["image_size"],
                    augmentation=Augmentation(protocol["augmentation"]),
                    batch_size=protocol["batch_size"],
                    seed=recipe.seed,
                    workers=runtime.workers,
                    defence=None if defence is None else defence(),
                ),
                face_loader(val, faces, workers=runtime.workers),
                ckpt_path=interrupted if interrupted.exists() else None,
                weights_only=True,
            )
        except SystemExit:
            # What Lightning makes of Ctrl-C; the program says how to go on.
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
    return {
        "epochs": checkpoints.epochs,
        "best_epoch": checkpoints.best_epoch,
        "best_validation_loss": checkpoints.best_loss,
        "last_validation_auc": checkpoints.last_auc,
    }
