"""The paper's setups (which faces are attacked), and the metrics of a run (model × forgery × attack)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sr_deepfake.metrics.calibration import (
    EQUAL,
    attack_success,
    calibration_metrics,
    rates_at,
    threshold_of,
)
from sr_deepfake.metrics.correlation import correlations
from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.predictions import SIMILARITY, checked, is_attacked, videos_of
from sr_deepfake.metrics.resampling import LEVEL, RESAMPLES, SEED, run_intervals
from sr_deepfake.metrics.significance import decision_changes

SETUPS = ("clean", "both", "fake")
CLASSES = {"pristine": 0, "fake": 1}

Metrics = dict[str, Any]


def setup_scores(predictions: pd.DataFrame, setup: str) -> pd.Series:
    """Return the score of each face in a setup.

    Args:
        predictions: the table of predictions.
        setup: `"clean"` (no face attacked), `"both"` (all: the paper's table 1), `"fake"` (fakes: table 2).

    Raises:
        ValueError: the setup is none of these.

    Example:
        >>> faces = pd.DataFrame({"label": [1, 0], "score": [0.9, 0.1], "score_attacked": [0.4, 0.2]})
        >>> [setup_scores(faces, setup).tolist() for setup in SETUPS]
        [[0.9, 0.1], [0.4, 0.2], [0.4, 0.1]]
    """
    if setup == "clean":
        return predictions["score"]
    if setup == "both":
        return predictions["score_attacked"]
    if setup == "fake":
        return predictions["score_attacked"].where(predictions["label"] == 1, predictions["score"])
    raise ValueError(f"{setup!r} is no setup; these are: {', '.join(SETUPS)}")


def run_metrics(
    predictions: pd.DataFrame,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    validation: pd.DataFrame | None = None,
    fpr: float | None = None,
) -> Metrics:
    """Every number of a run.

    Args:
        predictions: the table of predictions.
        resamples: how many times videos are drawn for the intervals.
        seed: of these draws.
        validation: `label` and `score` of the clean faces for validation, which choose a threshold; None: no faces.
        fpr: false positive rate that it is to have there; None: the equal error.

    Returns:
        - `clean`, `both`, `fake`: the eight of `classification_metrics`, fractions; NaN what is undefined.
        - `changes`: for `both` and `fake`, attacked − clean of each of the eight: positive where the attack
          raises the figure.
        - `similarity`: for `pristine` and `fake`, means over the class's faces of `ssim` and `psnr` (dB), and of
          `ssim_224`, `psnr_224` and `psnr_224_wrapped`. Faces that the attack left identical have an infinite PSNR:
          they are left out of its mean, and `identical` counts them. NaN for a class without faces or with identical
          ones only.
        - `faces`: counts, `faces`, `pristine`, `fake` and `videos`.
        - `video`: `clean`, `both`, `fake` and `changes` again, for videos whose score is the mean of their
          frames' scores.
        - `bootstrap`: `resamples`, `level` (0.95) and `seed` of the intervals.
        - `intervals`: [low, high] over videos (see `bootstrap`), under the names of the figures they belong
          to: `intervals/both/fnr`, `intervals/changes/both/fnr`, `intervals/video/both/fnr`,
          `intervals/similarity/fake/ssim`, `intervals/correlation/pooled/ssim/score/pearson` and so on. NaN
          for figures of a class with one video.
        - `mcnemar`: tests of the changes of decisions, for `fnr` and `fpr` (see `decision_changes`); not yet
          corrected for the number of runs (see `holm`).
        - `calibration`: for each setup, `ece`, `brier`, `tpr_at_1`, `tpr_at_5` (see `calibration_metrics`).
        - `threshold`: `value` (NaN: none was chosen), `rule`, `faces` that chose it; for each setup the rates at it.
        - `attack_success`: share of the fakes found clean that are missed attacked.
        - `correlation`: of SSIM and PSNR with the change of score and of absolute error (see `correlations`).

        What needs attacked faces is None where they were not attacked, and absent from `intervals`.

    Raises:
        ValueError: no faces, or a table that does not fit the schema.
    """
    table = checked(predictions)
    attacked = is_attacked(table)
    setups = {name: setup_scores(table, name).to_numpy() for name in (SETUPS if attacked else SETUPS[:1])}
    metrics = _rows(setups, table["label"].to_numpy())
    metrics["similarity"] = (
        {name: _similarity(table[table["label"] == label]) for name, label in CLASSES.items()}
        if attacked
        else None
    )
    counts = {name: int((table["label"] == label).sum()) for name, label in CLASSES.items()}
    metrics["faces"] = {"faces": len(table), **counts, "videos": int(table["video_id"].nunique())}
    videos = videos_of(table)
    metrics["video"] = _rows({name: videos.means(scores) for name, scores in setups.items()}, videos.labels)
    metrics["bootstrap"] = {"resamples": resamples, "level": LEVEL, "seed": seed}
    metrics["intervals"] = run_intervals(table, setups, resamples, seed)
    metrics["mcnemar"] = decision_changes(table) if attacked else None
    metrics["correlation"] = correlations(table) if attacked else None
    metrics["calibration"] = _each(setups, lambda scores: calibration_metrics(scores, table["label"]))
    threshold = threshold_of(validation, fpr)
    metrics["threshold"] = {
        "value": threshold,
        "rule": EQUAL if fpr is None else f"FPR {fpr:g}",
        "faces": 0 if validation is None else len(validation),
        **_each(setups, lambda scores: rates_at(scores, table["label"], threshold)),
    }
    metrics["attack_success"] = attack_success(table) if attacked else None
    return metrics


def _each(setups: dict[str, Any], compute: Callable[[Any], dict[str, float]]) -> Metrics:
    """What is computed of the scores of each setup, None for those without scores."""
    return dict.fromkeys(SETUPS) | {name: compute(scores) for name, scores in setups.items()}


def _rows(setups: dict[str, Any], labels: Any) -> Metrics:
    """The metrics of each setup, None for those without scores, and how far attacked ones are from clean ones."""
    rows: Metrics = {name: classification_metrics(scores, labels) for name, scores in setups.items()}
    clean = rows["clean"]
    changes = {
        name: {metric: value - clean[metric] for metric, value in row.items()}
        for name, row in rows.items()
        if name != "clean"
    }
    return dict.fromkeys(SETUPS) | rows | {"changes": changes or None}


def _similarity(faces: pd.DataFrame) -> dict[str, float | int]:
    columns = {name: faces[name].to_numpy(dtype=np.float64) for name in SIMILARITY}
    means = {name: _mean(values[np.isfinite(values)]) for name, values in columns.items()}
    return {**means, "identical": int(np.isinf(columns["psnr"]).sum())}


def _mean(values: "np.ndarray[Any, np.dtype[np.float64]]") -> float:
    return float(values.mean()) if len(values) else math.nan
