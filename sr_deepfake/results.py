"""What a run is measured by, and where it is written: predictions, metrics, provenance, the table."""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

import sr_deepfake
from sr_deepfake.app import build
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.fingerprint import describe_attack, fingerprint_of
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.detectors.registry import held, load_detector, read_recipe, weights_of
from sr_deepfake.errors import UserError
from sr_deepfake.metrics.predictions import read_predictions
from sr_deepfake.metrics.setups import cell_metrics, read_metrics, write_metrics
from sr_deepfake.provenance import write_provenance
from sr_deepfake.reporting.table import print_cell_table
from sr_deepfake.tracking import track_results

PREDICTIONS, METRICS = "predictions.parquet", "metrics.json"
# Raised when scores or metrics come out differently, so that older results are not taken for today's.
SCORING_VERSION = 2

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
                write_provenance(out, build.provenance(cfg, {"name": run["data"], "test": run["test_faces"]}))
                write_metrics(out / METRICS, {"cell": run, **metrics})
            else:
                log.warning("%s was trained anew meanwhile; its new weights are scored.", folder)
    if logger is not None:
        keep = folder if getattr(logger, "checkpoint", False) else None
        track_results(logger, metrics, out, keep, logged)
    faces = metrics["faces"]["faces"]
    title = (
        f"{run['model']} on {run['forgery']}, attack {run['attack']} ({faces} test faces of {run['data']})"
    )
    print_cell_table(metrics, title, caption=run["illustration"] or None)
    print(f"Detector:    {folder}\nPredictions: {out / PREDICTIONS}\nMetrics:     {out / METRICS}")
    if repeated:
        print("Already done: nothing was scored (evaluate.force=true scores again).")
    elif isinstance(attack, CachedAttack):
        _tell_what_was_cached(attack, attack.place(build.device(cfg)))
    return out, repeated


def discard_of_other_weights(outputs: Path, folder: Path) -> None:
    """Remove the results of a detector's earlier weights, once it was trained anew.

    Args:
        outputs: the folder where every run writes.
        folder: the detector's.
    """
    weights = weights_of(folder)
    for metrics in (outputs / "results").glob(f"{folder.name}-*/{METRICS}"):
        try:
            scored = read_metrics(metrics)["cell"]["detector_weights"]
        except (UserError, KeyError, TypeError):
            scored = None
        if scored != weights:
            log.info("Removing %s: its weights were replaced.", metrics.parent)
            shutil.rmtree(metrics.parent)


def _describe(cfg: DictConfig, folder: Path, data: FaceDataModule, attack: Attack | None) -> dict[str, Any]:
    """All that results depend on, and the words that reports show them with."""
    recipe = read_recipe(folder)
    inner = attack.attack if isinstance(attack, CachedAttack) else attack
    device = build.device(cfg)
    return {
        "model": recipe.model,
        "forgery": data.tested_on,
        "attack": inner.name if inner else "none",
        "attack_kind": inner.kind if inner else "none",
        "attack_strength": inner.strength if inner else "",
        "network": inner.network if isinstance(inner, SuperResolutionAttack) else None,
        "scale": inner.scale if isinstance(inner, SuperResolutionAttack) else 1,
        "defence": (recipe.training["defence"] or {"name": "none"})["name"],
        "data": data.faces.name,
        "protocol": recipe.protocol["name"],
        "detector": str(folder),
        "detector_fingerprint": recipe.fingerprint,
        "detector_weights": weights_of(folder),
        "test_faces": fingerprint(data.rows("test")),
        "attack_fingerprint": fingerprint_of(describe_attack(inner, device))[:16] if inner else None,
        "limit_test_batches": cfg.trainer.limit_test_batches,
        "device": device.type,
        "illustration": getattr(data.source, "illustration", ""),
        "scoring": SCORING_VERSION,
        "version": sr_deepfake.__version__,
    }


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
    tester = build.tester(cfg, out / PREDICTIONS, logger)
    tester.test(load_detector(folder), datamodule=data, verbose=False)
    return set(tester.logged_metrics), cell_metrics(read_predictions(out / PREDICTIONS))


def _earlier_metrics(out: Path, run: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a folder of results if they are this run's, to the last digit of its fingerprints."""
    try:
        metrics = read_metrics(out / METRICS)
    except UserError:
        return None
    found = metrics.pop("cell", None)
    return metrics if found == run and (out / PREDICTIONS).is_file() else None


def _tell_what_was_cached(attack: CachedAttack, place: Path) -> None:
    if attack.refused:
        log.warning(
            "Faces attacked anew, since their files in %s are damaged or not theirs: %d.",
            place,
            attack.refused,
        )
    print(f"Attacked:    {attack.found} faces from the cache, {attack.computed} computed ({place})")
