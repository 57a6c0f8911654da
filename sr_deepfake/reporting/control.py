"""What the network adds: an attack against the same scaling without its network, on the same detector and faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.grid import Entry, ReportGrid, newest_first, with_holm
from sr_deepfake.reporting.numbers import CHANGED

CONTROLS = ("bicubic", "lanczos", "resampling")


@dataclass(frozen=True)
class Contribution:
    """The difference between an attack and its control."""

    entry: Entry
    control: str  # its name
    metrics: Metrics  # with the control's scores in the place of the clean ones: a change is attack less control

    def figure(self, metric: str) -> Figure:
        """The figure under the attack, whose change is from the control; its p-value is corrected."""
        return self.metrics.figure("both", metric)


def contributions(grid: ReportGrid, results: Sequence[Result]) -> list[Contribution]:
    """For each entry of the grid and each control with results of the same detector and faces, the paired difference."""
    found = []
    for entry in grid.attacked:
        if entry.result.run.attack.kind in CONTROLS:
            continue
        seeds = entry.result.seeds or (entry.result,)
        controls = [_controls(seed, results) for seed in seeds]
        for name in sorted(set.intersection(*(set(of_seed) for of_seed in controls))):
            pairs = [_paired(seed, of_seed[name]) for seed, of_seed in zip(seeds, controls, strict=True)]
            found.append(Contribution(entry, name, run_metrics(pairs)))
    corrected = with_holm([each.metrics for each in found], CHANGED)
    return [replace(each, metrics=metrics) for each, metrics in zip(found, corrected, strict=True)]


def _controls(result: Result, results: Sequence[Result]) -> dict[str, Result]:
    """The newest results of each control of an attack: without its network at the same K, or the path without an attack."""
    own = result.run
    chosen: dict[str, Result] = {}
    for other in sorted(results, key=newest_first):
        attack = other.run.attack
        fits = attack.kind == "resampling" or (attack.kind in CONTROLS and attack.scale == own.attack.scale)
        if fits and _tested(other) == _tested(result) and other.is_attacked:
            chosen.setdefault(attack.kind_and_strength, other)
    return chosen


def _tested(result: Result) -> tuple[object, ...]:
    """The detector and the faces."""
    run = result.run
    return run.model, run.forgery, run.data, run.weights, run.test_faces, run.test_side


def _paired(result: Result, control: Result) -> pd.DataFrame:
    """Predictions under the attack, with the scores under the control in the place of the clean ones."""
    attack = result.predictions.set_index("face_id")
    base = control.predictions.set_index("face_id").loc[attack.index]
    return attack.assign(score=base["score_attacked"], logit=base["logit_attacked"]).reset_index()
