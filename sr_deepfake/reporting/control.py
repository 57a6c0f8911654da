"""What the network adds: an attack against the same scaling without its network, on the same detector and faces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.significance import holm
from sr_deepfake.reporting.grid import Entry, ReportGrid, newest_first

CONTROLS = ("bicubic", "lanczos", "resampling")
METRICS = ("fnr", "fpr", "auc")


@dataclass(frozen=True)
class Contribution:
    """The difference between an attack and its control.

    Attributes:
        entry: of the grid.
        control: name of the control.
        metrics: with the control's scores in the place of the clean ones: a change is attack less control.
    """

    entry: Entry
    control: str
    metrics: Metrics

    def figure(self, metric: str) -> Figure:
        """The figure under the attack, whose change is from the control; its p-value is corrected."""
        return self.metrics.figure("both", metric)


def contributions(grid: ReportGrid, results: Sequence[Result]) -> list[Contribution]:
    """For each entry of the grid and each control with results of the same detector and faces, the paired difference."""
    found = []
    for entry in grid.attacked:
        if entry.result is None or entry.result.run.attack.kind in CONTROLS:
            continue
        seeds = entry.result.seeds or (entry.result,)
        controls = [_controls(seed, results) for seed in seeds]
        for name in sorted(set.intersection(*(set(of_seed) for of_seed in controls))):
            pairs = [_paired(seed, of_seed[name]) for seed, of_seed in zip(seeds, controls, strict=True)]
            found.append(Contribution(entry, name, run_metrics(pairs)))
    return _with_holm(found)


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


def _with_holm(found: Sequence[Contribution]) -> list[Contribution]:
    keys = [(number, metric) for number in range(len(found)) for metric in METRICS]
    values = [found[number].figure(metric).p for number, metric in keys]
    adjusted = dict(zip(keys, holm([float("nan") if value is None else value for value in values]), strict=True))
    corrected = []
    for number, each in enumerate(found):
        figures = {setup: dict(of) for setup, of in each.metrics.figures.items()}
        for metric in METRICS:
            p = adjusted[number, metric]
            figures["both"][metric] = figures["both"][metric].model_copy(update={"p": None if p != p else float(p)})
        corrected.append(replace(each, metrics=each.metrics.model_copy(update={"figures": figures})))
    return corrected
