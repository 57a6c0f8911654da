"""What a cell is measured by, and where it is written: predictions, metrics, provenance, the table."""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig
from torch import nn
from tqdm import tqdm

import sr_deepfake
from sr_deepfake.assembly import outputs, plain, provenance_of, without_files
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.fingerprint import describe_attack, fingerprint_of
from sr_deepfake.data.loaders import face_loader
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.sources import FaceSet
from sr_deepfake.detectors.runtime import Runtime
from sr_deepfake.detectors.store import Recipe, load_detector, read_recipe
from sr_deepfake.errors import UserError
from sr_deepfake.metrics.predictions import write_predictions
from sr_deepfake.metrics.scoring import score_faces
from sr_deepfake.metrics.setups import cell_metrics, read_metrics, write_metrics
from sr_deepfake.provenance import write_provenance
from sr_deepfake.reporting.table import print_cell_table
from sr_deepfake.tracking import track_results

PREDICTIONS, METRICS = "predictions.parquet", "metrics.json"
# Raised when scores or metrics come out differently, so that older results are not taken for today's.
SCORING_VERSION = 1

log = logging.getLogger(__name__)


def evaluate_cell(
    cfg: DictConfig,
    folder: Path,
    faces: FaceSet,
    forgery: str,
    machine: Runtime,
    attack: nn.Module | None,
    logger: Logger | None = None,
    force: bool = False,
) -> tuple[Path, bool]:
    """Score the test faces with a stored detector, clean and attacked, write the results and show the table.

    Where the results are there already (same detector, attack, test faces and code), only the table is shown.

    Args:
        cfg: the configuration.
        folder: the detector's.
        faces: with the test set.
        forgery: the method whose fakes are tested.
        machine: device and precision.
        attack: of `attack`.
        logger: of Lightning.
        force: score although there are results.

    Returns:
        The folder of the results, and whether they were there already.
    """
    test = faces.of("test", forgery, cfg.protocol.frames)
    trained = read_recipe(folder)
    if attack is not None:
        attack.to(machine.device)
    cell = {
        "model": trained.model,
        "forgery": forgery,
        "attack": str(cfg.attack.label),
        "data": faces.name,
        "protocol": trained.protocol["name"],
        "detector": str(folder),
        "detector_fingerprint": trained.fingerprint,
        "test_faces": fingerprint(test),
        "attack_fingerprint": _attack_fingerprint(cfg, attack, machine),
        "precision": machine.precision,
        "illustration": "illustration" in cfg.data,
        "scoring": SCORING_VERSION,
        "version": sr_deepfake.__version__,
    }
    out = _result_folder(cfg, folder, cell, trained)
    metrics = None if force else _earlier_metrics(out, cell)
    repeated = metrics is not None
    if metrics is None:
        predictions = _score(cfg, folder, test, faces.folder, machine, attack)
        metrics = cell_metrics(predictions)
        # The metrics go first and come last: a folder that has them is whole.
        (out / METRICS).unlink(missing_ok=True)
        write_predictions(out / PREDICTIONS, predictions)
        data = {"name": faces.name, "test": cell["test_faces"]}
        write_provenance(out, provenance_of(cfg, machine, data))
        write_metrics(out / METRICS, {"cell": cell, **metrics})
    if logger is not None:
        track_results(logger, metrics, out, folder if cfg.logger.get("checkpoint") else None)
    title = (
        f"{trained.model} on {forgery}, attack {cfg.attack.label} ({len(test)} test faces of {faces.name})"
    )
    print_cell_table(metrics, title, caption=cfg.data.get("illustration"))
    print(f"Detector:    {folder}\nPredictions: {out / PREDICTIONS}\nMetrics:     {out / METRICS}")
    if repeated:
        print("Already done: nothing was scored (evaluate.force=true scores again).")
    elif isinstance(attack, CachedAttack):
        _tell_what_was_cached(attack, machine.device)
    return out, repeated


def _score(
    cfg: DictConfig,
    folder: Path,
    test: pd.DataFrame,
    faces: Path,
    machine: Runtime,
    attack: nn.Module | None,
) -> pd.DataFrame:
    detector = load_detector(folder).to(machine.device)
    if machine.channels_last:
        detector.backbone.to(memory_format=torch.channels_last)
    with tqdm(total=len(test), desc="Testing", unit="face", disable=not cfg.trainer.progress) as bar:
        return score_faces(
            detector,
            attack,
            face_loader(test, faces, workers=machine.workers),
            device=machine.device,
            autocast=machine.autocast,
            progress=bar.update,
        )


def _attack_fingerprint(cfg: DictConfig, attack: nn.Module | None, machine: Runtime) -> str | None:
    """What the attack's faces depend on, down to the weights and the libraries; None without an attack."""
    if attack is None:
        return None
    inner = attack.attack if isinstance(attack, CachedAttack) else attack
    return fingerprint_of(describe_attack(inner, without_files(plain(cfg.attack.module)), machine.device))[
        :16
    ]


def _earlier_metrics(out: Path, cell: Mapping[str, Any]) -> dict[str, Any] | None:
    """The metrics of a folder of results if they are this cell's, to the last digit of its fingerprints."""
    try:
        metrics = read_metrics(out / METRICS)
    except UserError:
        return None
    found = metrics.pop("cell", None)
    return metrics if found == cell and (out / PREDICTIONS).is_file() else None


def _tell_what_was_cached(attack: CachedAttack, device: torch.device) -> None:
    place = attack.place(device)
    if attack.refused:
        log.warning(
            "Faces attacked anew, since their files in %s are damaged or not theirs: %d.",
            place,
            attack.refused,
        )
    print(f"Attacked:    {attack.found} faces from the cache, {attack.computed} computed ({place})")


def _result_folder(cfg: DictConfig, detector: Path, cell: Mapping[str, Any], trained: Recipe) -> Path:
    """`outputs/results/<detector>-<attack>-<digits>/`.

    The digits differ with the attack's options, the test set, and a precision other than the training's.
    """
    attack = {
        "module": plain(cfg.attack.module),
        "test_faces": cell["test_faces"],
        "forgery": cell["forgery"],
    }
    if cell["precision"] != trained.precision:
        attack["precision"] = cell["precision"]
    digits = hashlib.sha256(json.dumps(attack, sort_keys=True).encode()).hexdigest()[:6]
    out = outputs(cfg) / "results" / f"{detector.name}-{cell['attack']}-{digits}"
    out.mkdir(parents=True, exist_ok=True)
    return out
