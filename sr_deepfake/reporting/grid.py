"""The grid of a report: model × forgery method under one attack, as the paper's tables 1 and 2 have it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sr_deepfake.experiment.results import EXTERNAL, UNDEFENDED, Result
from sr_deepfake.metrics.significance import RATES, holm
from sr_deepfake.reporting.published import ATTACK, DATA
from sr_deepfake.system.errors import UserError, nearest

# In the order of the paper's tables.
MODELS = ("resnet50", "swin", "xception")
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")


@dataclass(frozen=True)
class Entry:
    """One model × forgery method.

    Attributes:
        model: short name.
        forgery: the method, trained and tested on.
        clean: the results that the clean figures come from; None: there are none. Where there are attacked ones, these
            are the same results: their clean scores are of the same detector.
        attacked: the results under the grid's attack, the newest; None: there are none.
        seeds: where the same detector was trained with several seeds, the results of each, newest first.
        p_values: of the McNemar tests of `fnr` and of `fpr` by video, corrected by Holm's method over all tests of
            the grid; a rate without a test is left out.
    """

    model: str
    forgery: str
    clean: Result | None = None
    attacked: Result | None = None
    seeds: Sequence[Result] = ()
    p_values: Mapping[str, float] = field(default_factory=dict)


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
    """

    data: str
    protocol: str
    attack: str
    models: Sequence[str]
    methods: Sequence[str]
    entries: Sequence[Entry]
    left_out: Sequence[Result] = ()

    @property
    def shown(self) -> list[Entry]:
        """The entries that have results: what tables list."""
        return [entry for entry in self.entries if entry.clean is not None]

    @property
    def attacked(self) -> list[tuple[Entry, Result]]:
        """The entries that have attacked results, and these."""
        return [(entry, entry.attacked) for entry in self.entries if entry.attacked is not None]


@dataclass(frozen=True)
class Wish:
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


def make_grid(results: Sequence[Result], wish: Wish) -> ReportGrid:
    """Arrange results; of several that fit an entry, the newest takes it.

    Args:
        results: all that were read, at least one.
        wish: what the user wants.

    Raises:
        UserError: a wish names what no result is of.
    """
    # Those of a detector that was trained as in the paper; others have figures of their own.
    plain = [result for result in results if is_plain(result)] or list(results)
    data = _chosen("data", wish.data, [result.data for result in plain], DATA)
    plain = [result for result in plain if result.data == data]
    trained = [result.protocol for result in plain if not result.is_external]
    protocol = _chosen("protocol", wish.protocol, trained or [EXTERNAL])
    plain = [result for result in plain if result.fits(data, protocol)]
    attack = _attack(wish.attack, [result for result in plain if result.is_attacked])
    plain = [result for result in plain if is_plain(result)]
    models = list(wish.models or ordered({result.model for result in plain}, MODELS))
    methods = list(wish.methods or ordered({result.tested_on for result in plain}, METHODS))
    entries = []
    for model in models:
        for method in methods:
            found = [result for result in plain if (result.model, result.tested_on) == (model, method)]
            entries.append(_entry(model, method, attack, sorted(found, key=_age, reverse=True)))
    used = {
        result.folder for entry in entries for result in (entry.clean, *entry.seeds) if result is not None
    }
    rivals = [
        result
        for result in plain
        if result.attack == attack
        and result.folder not in used
        and result.model in models
        and result.tested_on in methods
    ]
    return ReportGrid(data, protocol, attack, models, methods, with_holm(entries), rivals)


def is_plain(result: Result) -> bool:
    """Whether a detector without a defence is tested on its own method, as in the paper.

    One from elsewhere, or that was trained on another data set, has none there: it is tested on any.
    """
    own = result.is_external or result.crosses_data or result.trained_on == result.tested_on
    return own and result.defence == UNDEFENDED


def ordered(names: set[str], first: Sequence[str]) -> list[str]:
    """Names in the paper's order, then the others by the alphabet.

    Example:
        >>> ordered({"convnext", "swin", "resnet50"}, MODELS)
        ['resnet50', 'swin', 'convnext']
    """
    return [*(name for name in first if name in names), *sorted(names - set(first))]


def with_holm(entries: Sequence[Entry]) -> list[Entry]:
    """Give entries their p-values, corrected over all entries and both rates.

    FNR is the same test with all faces attacked and with the fakes alone, so table 2 adds none.
    """
    tests = {
        (number, rate): entry.attacked.metrics["mcnemar"][rate]["faces"]["p_clustered"]
        for number, entry in enumerate(entries)
        if entry.attacked is not None
        for rate in RATES
    }
    values = [float("nan") if value is None else value for value in tests.values()]
    adjusted = {test: float(value) for test, value in zip(tests, holm(values), strict=True) if value == value}
    return [
        replace(
            entry, p_values={rate: adjusted[number, rate] for rate in RATES if (number, rate) in adjusted}
        )
        for number, entry in enumerate(entries)
    ]


def _chosen(name: str, wish: str | None, found: Sequence[str], preferred: str = "") -> str:
    if wish is None:
        return preferred if preferred in found else Counter(found).most_common(1)[0][0]
    if wish not in found:
        known = ", ".join(dict.fromkeys(found)) or "none"
        raise UserError(f"grid.{name}={wish}: no results are of it.{nearest(wish, found)} There are: {known}")
    return wish


def _attack(wish: str | None, attacked: Sequence[Result]) -> str:
    """The name of the grid's attack; a wish (or else the paper's attack) may leave out its variant, as the weights."""
    if not attacked and wish is None:
        return ATTACK
    alike = [result.attack for result in attacked if result.attack_and_strength == (wish or ATTACK)]
    found = [result.attack for result in attacked]
    return _chosen("attack", None, alike) if alike else _chosen("attack", wish, found)


def _age(result: Result) -> tuple[str, str]:
    return result.started, result.name


def _entry(model: str, method: str, attack: str, found: Sequence[Result]) -> Entry:
    """The entry of a model and method, from the results that fit it, the newest first."""
    attacked = [result for result in found if result.attack == attack and result.is_attacked]
    if not attacked:
        return Entry(model, method, clean=found[0] if found else None)
    same = [result for result in attacked if result.recipe == attacked[0].recipe]
    seeds = list({result.seed: result for result in reversed(same)}.values())
    return Entry(model, method, attacked[0], attacked[0], tuple(seeds[::-1]) if len(seeds) > 1 else ())
