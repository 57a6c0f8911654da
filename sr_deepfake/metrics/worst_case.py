"""Many attacks on one detector: the worst case of each face (the union of the attacks), and which attacks make it.

A fake counts as missed if it is missed clean or under any attack, a pristine face as accused likewise. The worst case is
thus the attack of somebody who knows the detector's decision, and is never better than clean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pandas as pd

from sr_deepfake.metrics.changes import RATES
from sr_deepfake.metrics.classification import THRESHOLD, Array, rank, weighted_metrics
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.metrics.predictions import SIMILARITY, setup_scores
from sr_deepfake.metrics.setups import RESAMPLES, SEED, percentile_interval, run_metrics

ENOUGH = 0.95  # share of the worst case's error that a few attacks reach
Wrong = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class WorstCase:
    """What some attacks together do to a detector."""

    # Predictions of the faces that all attacks were scored on; `score_attacked` is the worst of each.
    faces: pd.DataFrame
    metrics: Metrics  # its figures; `both` is the worst case
    errors: dict[str, float]  # for each attack the balanced error (mean of FNR and FPR), the worst first
    # Attacks in the order in which each adds most, with the balanced error that they reach together.
    reached: dict[str, float]
    needed: int  # how many of these reach 95 % of the worst case's error
    mean: dict[str, float]  # over the attacks: `fnr`, `fpr`, `balanced_error`


def worst_case(tables: Mapping[str, pd.DataFrame], resamples: int = RESAMPLES) -> WorstCase:
    """Find the worst case over some attacks (by name, predictions of one detector); the first gives the clean scores."""
    shared = set.intersection(*(set(table["face_id"]) for table in tables.values()))
    if not shared:
        raise ValueError("no face was scored under all attacks")
    aligned = {
        name: table[table["face_id"].isin(shared)].sort_values("face_id").reset_index(drop=True)
        for name, table in tables.items()
    }
    faces = next(iter(aligned.values())).copy()
    label = faces["label"].to_numpy()
    for column in ("score", "logit"):
        values = np.stack([faces[column], *(table[f"{column}_attacked"] for table in aligned.values())])
        faces[f"{column}_attacked"] = np.where(label == 1, values.min(axis=0), values.max(axis=0))
    faces[list(SIMILARITY)] = np.nan
    clean = _wrong(faces, "score")
    wrong = {name: _wrong(table, "score_attacked") for name, table in aligned.items()}
    errors = {name: _error(each, label) for name, each in wrong.items()}
    reached = _greedy(clean, wrong, label)
    whole = _error(np.logical_or.reduce([clean, *wrong.values()]), label)
    enough = [_error(clean, label), *reached.values()]
    mean = {}
    for rate, value in RATES.items():
        if (label == value).any():
            mean[rate] = float(np.mean([each[label == value].mean() for each in wrong.values()]))
    mean["balanced_error"] = float(np.mean(list(errors.values())))
    return WorstCase(
        faces=faces,
        metrics=run_metrics(faces, resamples=resamples),
        errors=dict(sorted(errors.items(), key=lambda one: (-one[1], one[0]))),
        reached=reached,
        needed=next(count for count, error in enumerate(enough) if error >= ENOUGH * whole - 1e-12),
        mean=mean,
    )


def difference(
    first: pd.DataFrame, second: pd.DataFrame, metric: str, setups: tuple[str, str] = ("both", "both")
) -> tuple[float, tuple[float, float] | None]:
    """How much larger a rate of a second table of predictions is, with its 95 % interval.

    The same clusters are drawn for both; where these differ, or no cluster changed, there is no interval.
    """
    tables = [table.sort_values("face_id") for table in (first, second)]
    found = [_resampled(table, setup, metric) for table, setup in zip(tables, setups, strict=True)]
    change = found[1] - found[0]
    low, high = percentile_interval(change[1:])
    drawn = [set(zip(*(table[way] for way in ("cluster", "target", "source")), strict=True)) for table in tables]
    paired = drawn[0] == drawn[1]
    return float(change[0]), (low, high) if paired and low < high else None


def _resampled(faces: pd.DataFrame, setup: str, metric: str) -> Array:
    """A rate of the faces as they are, then of each resample."""
    clusters = Clusters.of(faces)
    ranking = rank(setup_scores(faces, setup), faces["label"], clusters.units, setup_scores(faces, setup, "logit"))
    weights = chain([np.ones((1, int(clusters.units.max()) + 1))], clusters.draw(RESAMPLES, SEED))
    return np.concatenate([weighted_metrics(ranking, drawn)[metric] for drawn in weights])


def _wrong(table: pd.DataFrame, column: str) -> Wrong:
    found: Wrong = (table[column].to_numpy() > THRESHOLD) != (table["label"].to_numpy() == 1)
    return found


def _error(wrong: Wrong, label: npt.NDArray[np.int_]) -> float:
    """The mean of the classes' shares of wrong decisions; of one class its own."""
    return float(np.mean([wrong[label == value].mean() for value in (0, 1) if (label == value).any()]))


def _greedy(clean: Wrong, wrong: Mapping[str, Wrong], label: npt.NDArray[np.int_]) -> dict[str, float]:
    """Attacks in the order in which each adds most to those before it, until none adds anything; ties by name."""
    found = clean
    reached: dict[str, float] = {}
    error = _error(clean, label)
    while len(reached) < len(wrong):
        gains = {name: _error(found | each, label) for name, each in wrong.items() if name not in reached}
        best = min(gains, key=lambda name: (-gains[name], name))
        if gains[best] <= error:
            break
        found, error = found | wrong[best], gains[best]
        reached[best] = error
    return reached
