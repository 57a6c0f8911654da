"""The grid of a report: model × forgery method under one attack, as the paper's tables 1 and 2 have it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from sr_deepfake.experiment.results import EXTERNAL, Result
from sr_deepfake.metrics.changes import RATES
from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.significance import holm
from sr_deepfake.reporting.published import ATTACK, DATA, METHODS, MODELS
from sr_deepfake.system.errors import UserError


@dataclass(frozen=True)
class Entry:
    """One model × forgery method.

    Attributes:
        model: short name.
        method: the forgery method, trained and tested on.
        result: under the grid's attack, or else any other with clean scores; None: there is none. Where the same detector was
            trained with several seeds, it stands for all of them.
        metrics: of the result; the p-values of FNR and FPR are corrected by Holm's method over all tests of the grid.
        is_attacked: whether the result is of the grid's attack.
    """

    model: str
    method: str
    result: Result | None = None
    metrics: Metrics | None = None
    is_attacked: bool = False

    def figure(self, setup: str, metric: str) -> Figure:
        """A figure; one without a value where there is none."""
        if self.metrics is None or (setup != "clean" and not setup.endswith("/clean") and not self.is_attacked):
            return Figure()
        return self.metrics.figure(setup, metric)

    @property
    def name(self) -> str:
        """The detector in words."""
        return f"{self.model} on {self.method}"


@dataclass(frozen=True)
class ReportGrid:
    """Model × forgery method under one attack.

    Attributes:
        data: name of the data set.
        protocol: of the detectors.
        attack: name, such as "sr-edsr-x2-ef70d4a3".
        models: rows, in the order in which they are shown.
        methods: columns.
        entries: one for each model and method, by model, then by method.
        left_out: results that would fit an entry, but newer ones take it.
        illustration: the sentence that says that the figures are illustrations; empty: they are not.
    """

    data: str
    protocol: str
    attack: str
    models: Sequence[str]
    methods: Sequence[str]
    entries: Sequence[Entry]
    left_out: Sequence[Result] = ()
    illustration: str = ""

    @property
    def shown(self) -> list[Entry]:
        """The entries that have results: what tables list."""
        return [entry for entry in self.entries if entry.result is not None]

    @property
    def attacked(self) -> list[Entry]:
        """The entries that have results of the attack."""
        return [entry for entry in self.entries if entry.is_attacked]

    @property
    def results(self) -> list[Result]:
        """The results of the attack."""
        return [entry.result for entry in self.attacked if entry.result is not None]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Every figure, one a row: `model`, `method`, `setup`, `metric` and the fields of `Figure`."""
        frames = [
            entry.metrics.frame().assign(model=entry.model, method=entry.method)
            for entry in self.shown
            if entry.metrics is not None
        ]
        columns = ["model", "method", "setup", "metric", *Figure.model_fields]
        return pd.concat(frames)[columns].reset_index(drop=True) if frames else pd.DataFrame(columns=columns)


@dataclass(frozen=True)
class GridSelection:
    """The user's choice of what the grid shows; None: whatever is found.

    Attributes:
        data: name of the data set; the paper's where it is found, else the one of most results.
        protocol: the one of most results.
        attack: name; the paper's where it is found, else the one of most results.
        models: those found, in the paper's order, then others.
        methods: likewise.
    """

    data: str | None = None
    protocol: str | None = None
    attack: str | None = None
    models: Sequence[str] | None = None
    methods: Sequence[str] | None = None


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
    models = list(requested.models or ordered({result.run.model for result in plain}, MODELS))
    methods = list(requested.methods or ordered({result.run.forgery for result in plain}, METHODS))
    entries = [
        _entry(model, method, attack, [r for r in plain if (r.run.model, r.run.forgery) == (model, method)])
        for model in models
        for method in methods
    ]
    used = {each.folder for entry in entries if entry.result for each in (entry.result, *entry.result.seeds)}
    rivals = [
        result
        for result in plain
        if result.run.attack.name == attack
        and result.folder not in used
        and result.run.model in models
        and result.run.forgery in methods
    ]
    illustration = next((result.run.illustration for result in results if result.run.data == data), "")
    return ReportGrid(data, protocol, attack, models, methods, with_holm(entries), rivals, illustration)


def newest_first(result: Result) -> tuple[float, str]:
    """Sort key: the time at which results were scored, the newest first, then their name."""
    digits = "".join(sign for sign in result.started if sign.isdigit())[:14]
    return -float(digits or 0), result.name


def ordered(names: set[str], first: Sequence[str]) -> list[str]:
    """Names in the paper's order, then the others by the alphabet.

    >>> ordered({"convnext", "swin", "resnet50"}, MODELS)
    ['resnet50', 'swin', 'convnext']
    """
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


def with_holm(entries: Sequence[Entry]) -> list[Entry]:
    """Correct the p-values of FNR and FPR over all entries."""
    tests = [(number, rate) for number, entry in enumerate(entries) for rate in RATES if entry.is_attacked]
    values = [entries[number].figure("both", rate).p for number, rate in tests]
    adjusted = dict(zip(tests, holm([float("nan") if value is None else value for value in values]), strict=True))

    def corrected(number: int, entry: Entry) -> Entry:
        if entry.metrics is None or not entry.is_attacked:
            return entry
        figures = {setup: dict(found) for setup, found in entry.metrics.figures.items()}
        for setup, rate in (("both", "fnr"), ("both", "fpr"), ("fake", "fnr")):
            figures[setup][rate] = figures[setup][rate].model_copy(update={"p": _number(adjusted[number, rate])})
        return replace(entry, metrics=entry.metrics.model_copy(update={"figures": figures}))

    return [corrected(number, entry) for number, entry in enumerate(entries)]


def _number(value: float) -> float | None:
    return None if value != value else float(value)


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


def _entry(model: str, method: str, attack: str, found: Sequence[Result]) -> Entry:
    """The entry of a model and method, from the results that fit it, the newest first."""
    attacked = [result for result in found if result.run.attack.name == attack and result.is_attacked]
    if not attacked:
        return Entry(model, method, found[0], found[0].metrics) if found else Entry(model, method)
    result = pooled(attacked)
    return Entry(model, method, result, result.metrics, is_attacked=True)
