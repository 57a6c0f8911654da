"""The grid of a report: model × forgery method under one attack, as the paper's tables 1 and 2 have it."""

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sr_deepfake.experiment.results import EXTERNAL, Result
from sr_deepfake.metrics.changes import RATES, holm
from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.published import ATTACK, DATA, METHODS, MODELS
from sr_deepfake.system.errors import UserError, choose


@dataclass(frozen=True)
class Entry:
    """One model × forgery method that has results."""

    model: str
    method: str  # trained and tested on
    result: Result  # under the grid's attack, or else any other with clean scores; for all seeds of the same training
    metrics: Metrics  # p-values of FNR and FPR are corrected by Holm's method over all tests of the grid
    is_attacked: bool  # the result is of the grid's attack

    def figure(self, setup: str, metric: str) -> Figure:
        """A figure; one without a value where there is none."""
        is_known = self.is_attacked or setup == "clean" or setup.endswith("/clean")
        return self.metrics.figure(setup, metric) if is_known else Figure()

    @property
    def name(self) -> str:
        """The detector in words."""
        return f"{self.model} on {self.method}"


@dataclass(frozen=True)
class ReportGrid:
    """Model × forgery method under one attack."""

    data: str
    protocol: str
    attack: str  # such as "sr-edsr-x2-ef70d4a3"
    models: Sequence[str]  # rows, in the order in which they are shown
    methods: Sequence[str]  # columns
    shown: Sequence[Entry]  # what has results, by model, then by method
    left_out: Sequence[Result] = ()  # would fit an entry, but newer results take it
    illustration: str = ""  # says that the figures are illustrations; empty: they are not

    @property
    def squares(self) -> list[tuple[str, str, Entry | None]]:
        """Each model with each method, and what is there."""
        found = {(entry.model, entry.method): entry for entry in self.shown}
        return [(*key, found.get(key)) for key in itertools.product(self.models, self.methods)]

    @property
    def attacked(self) -> list[Entry]:
        """The entries that have results of the attack."""
        return [entry for entry in self.shown if entry.is_attacked]

    @property
    def results(self) -> list[Result]:
        """The results of the attack."""
        return [entry.result for entry in self.attacked]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Every figure, one a row: `model`, `method`, `setup`, `metric` and the fields of `Figure`."""
        frames = [entry.metrics.frame().assign(model=entry.model, method=entry.method) for entry in self.shown]
        columns = ["model", "method", "setup", "metric", *Figure.model_fields]
        return pd.concat(frames)[columns].reset_index(drop=True) if frames else pd.DataFrame(columns=columns)


@dataclass(frozen=True)
class GridSelection:
    """The user's choice of what the grid shows; None: the paper's where it is found, else what most results are of."""

    data: str | None = None
    protocol: str | None = None
    attack: str | None = None
    models: Sequence[str] | None = None  # None: those found, in the paper's order, then others
    methods: Sequence[str] | None = None  # likewise


def make_grid(results: Sequence[Result], requested: GridSelection) -> ReportGrid:
    """Arrange results; of several that fit an entry, the newest takes it, with its other seeds."""
    plain = [result for result in results if result.run.is_plain] or list(results)
    data = _chosen("data", requested.data, [result.run.data for result in plain], DATA)
    plain = [result for result in plain if result.run.data == data]
    trained = [result.run.protocol for result in plain if not result.run.is_external]
    protocol = _chosen("protocol", requested.protocol, trained or [EXTERNAL])
    plain = [result for result in plain if result.run.fits(data, protocol)]
    attack = _attack(requested.attack, [result for result in plain if result.is_attacked])
    plain = sorted((result for result in plain if result.run.is_plain), key=newest_first)
    models = _names("models", requested.models, {result.run.model for result in plain}, MODELS)
    methods = _names("methods", requested.methods, {result.run.forgery for result in plain}, METHODS)
    found: dict[tuple[str, str], list[Result]] = {}
    for result in plain:
        found.setdefault((result.run.model, result.run.forgery), []).append(result)
    entries = [_entry(found[key], attack) for key in itertools.product(models, methods) if key in found]
    corrected = iter(with_holm([entry.metrics for entry in entries if entry.is_attacked], RATES))
    entries = [replace(entry, metrics=next(corrected)) if entry.is_attacked else entry for entry in entries]
    used = {each.folder for entry in entries for each in (entry.result, *entry.result.seeds)}
    rivals = [
        result
        for result in plain
        if result.run.attack.name == attack
        and result.folder not in used
        and result.run.model in models
        and result.run.forgery in methods
    ]
    illustration = next((result.run.illustration for result in results if result.run.data == data), "")
    return ReportGrid(data, protocol, attack, models, methods, entries, rivals, illustration)


def newest_first(result: Result) -> tuple[float, str]:
    """Sort key: the time at which results were scored, the newest first, then their name."""
    digits = "".join(sign for sign in result.started if sign.isdigit())[:14]
    return -float(digits or 0), result.name


def _names(what: str, requested: Sequence[str] | None, found: set[str], papers: Sequence[str]) -> list[str]:
    """The rows or columns that were asked for, of those found and the paper's; else those found."""
    for name in requested or ():
        choose(name, ordered(found | set(papers), papers), f"grid.{what}")
    return list(dict.fromkeys(requested or ordered(found, papers)))


def ordered(names: set[str], first: Sequence[str]) -> list[str]:
    """Names in the paper's order, then the others by the alphabet."""
    return [*(name for name in first if name in names), *sorted(names - set(first))]


def pooled(found: Sequence[Result]) -> Result:
    """The newest result of those given, with the other seeds of the same training on the same faces as their mean."""

    def kind(result: Result) -> tuple[str, str, str]:
        return result.run.recipe, result.run.test_faces, result.run.attack.name

    same = [result for result in found if kind(result) == kind(found[0])]
    seeds = list({result.run.seed: result for result in reversed(same)}.values())[::-1]
    if len(seeds) < 2:
        return found[0]
    seeds.sort(key=lambda result: result.run.seed)
    metrics = run_metrics([result.predictions for result in seeds], [result.metrics.threshold for result in seeds])
    return replace(found[0], metrics=metrics, seeds=tuple(seeds))


def newest(results: Sequence[Result]) -> list[Result]:
    """The newest of results that differ only in date, with the other seeds of the same training."""
    found: dict[Any, list[Result]] = {}
    for result in sorted(results, key=newest_first):
        run = result.run
        key = (run.model, run.trained_on, run.forgery, run.attack.name, run.defence, run.test_side)
        found.setdefault(key, []).append(result)
    return sorted(map(pooled, found.values()), key=lambda result: result.name)


def with_holm(tested: Sequence[Metrics], rates: Collection[str]) -> list[Metrics]:
    """Correct the p-values of some rates under the attack, over all that was tested."""
    values = np.array([metrics.figure("both", rate).p for metrics in tested for rate in rates], dtype=float)
    adjusted = iter(holm(values).tolist())
    corrected = []
    for metrics in tested:
        figures = {setup: dict(found) for setup, found in metrics.figures.items()}
        for rate in rates:
            p = next(adjusted)
            for setup in ("both", "fake") if rate == "fnr" else ("both",):
                figures[setup][rate] = Figure(**figures[setup][rate].model_dump() | {"p": p})
        corrected.append(metrics.model_copy(update={"figures": figures}))
    return corrected


def _chosen(name: str, requested: str | None, found: Sequence[str], preferred: str = "") -> str:
    if requested is None:
        return preferred if preferred in found else Counter(found).most_common(1)[0][0]
    if requested not in found:
        known = ", ".join(dict.fromkeys(found)) or "none"
        raise UserError(f"grid.{name}={requested}: no results are of it; there are {known}")
    return requested


def _attack(requested: str | None, attacked: Sequence[Result]) -> str:
    """The name of the grid's attack; the requested one (or else the paper's) may leave out its variant, as the weights."""
    if not attacked and requested is None:
        return ATTACK

    def wanted(result: Result) -> bool:
        return result.run.attack.kind_and_strength == (requested or ATTACK)

    alike = [result.run.attack.name for result in attacked if wanted(result)]
    found = [result.run.attack.name for result in attacked]
    return _chosen("attack", None, alike) if alike else _chosen("attack", requested, found)


def _entry(found: Sequence[Result], attack: str) -> Entry:
    """The entry of a model and method, from the results that fit it, the newest first."""
    attacked = [result for result in found if result.run.attack.name == attack and result.is_attacked]
    result = pooled(attacked) if attacked else found[0]
    return Entry(result.run.model, result.run.forgery, result, result.metrics, bool(attacked))
