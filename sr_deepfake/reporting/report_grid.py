"""The grid of a report: model × forgery method under one attack, as the paper's tables 1 and 2 have it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sr_deepfake.errors import UserError, nearest
from sr_deepfake.metrics.significance import RATES, holm
from sr_deepfake.reporting.published import ATTACK, DATA
from sr_deepfake.reporting.report_cells import UNDEFENDED, ReportCell

# In the order of the paper's tables.
MODELS = ("resnet50", "swin", "xception")
METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")


@dataclass(frozen=True)
class Place:
    """One model × forgery method.

    Attributes:
        model: short name.
        forgery: the method, trained and tested on.
        clean: the results that the clean figures come from; None: missing. Where there are attacked ones, these are
            the same results: their clean scores are of the same detector.
        attacked: the results under the grid's attack; None: missing.
        commands: of the shell, that fill what is missing; none where nothing is.
        reason: why it is missing, where that is known.
        p_values: of the McNemar tests of `fnr` and of `fpr` by video, corrected by Holm's method over all tests of
            the grid; a rate without a test is left out.
    """

    model: str
    forgery: str
    clean: ReportCell | None = None
    attacked: ReportCell | None = None
    commands: Sequence[str] = ()
    reason: str = ""
    p_values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportGrid:
    """Model × forgery method under one attack.

    Attributes:
        data: name of the data set.
        protocol: of the detectors.
        attack: label, such as "sr-edsr-x2".
        models: rows, in the order in which they are shown.
        methods: columns.
        places: all of them, by model, then by method.
        left_out: results that would fit a place, but newer ones take it.
    """

    data: str
    protocol: str
    attack: str
    models: Sequence[str]
    methods: Sequence[str]
    places: Sequence[Place]
    left_out: Sequence[ReportCell] = ()

    @property
    def missing(self) -> list[Place]:
        """The places that lack attacked results, clean ones perhaps too."""
        return [place for place in self.places if place.attacked is None]

    @property
    def attacked(self) -> list[tuple[Place, ReportCell]]:
        """The places that have attacked results, and these."""
        return [(place, place.attacked) for place in self.places if place.attacked is not None]


@dataclass(frozen=True)
class Wish:
    """What a user wants in the grid; None: what is found.

    Attributes:
        data: name of the data set; the paper's where it is found, else the one of most results.
        protocol: the one of most results.
        attack: label; the paper's where it is found, else the one of most results.
        models: those found in the paper's order, then others; with the paper's data set all of the paper's.
        methods: the five of FaceForensics++, and others that are found; others alone where none of the five is.
    """

    data: str | None = None
    protocol: str | None = None
    attack: str | None = None
    models: Sequence[str] | None = None
    methods: Sequence[str] | None = None


Fill = Callable[[str, str, str, str, str], tuple[str, str]]


def make_grid(cells: Sequence[ReportCell], wish: Wish, fill: Fill) -> ReportGrid:
    """Arrange results; of several that fit a place, the newest takes it.

    Args:
        cells: all that were read.
        wish: what the user wants.
        fill: (model, forgery method, attack, data set, protocol) → the command that fills a place, and why
            it is missing ("" where that is not known).

    Raises:
        UserError: there are no results, or a wish names what none of them is of.
    """
    if not cells:
        raise UserError(
            "there are no results yet; `python -m sr_deepfake.train -m experiment=demo` makes some"
        )
    # Those of a detector that was trained as in the paper; others have figures of their own.
    plain = [cell for cell in cells if is_plain(cell)] or list(cells)
    data = _chosen("data", wish.data, [cell.data for cell in plain], DATA)
    plain = [cell for cell in plain if cell.data == data]
    protocol = _chosen("protocol", wish.protocol, [cell.protocol for cell in plain])
    plain = [cell for cell in plain if cell.protocol == protocol]
    attack = _attack(wish.attack, [cell for cell in plain if cell.is_attacked])
    plain = [cell for cell in plain if is_plain(cell)]
    models = list(wish.models) if wish.models else _models(plain, data)
    methods = list(wish.methods) if wish.methods else _methods(plain)
    places, used = [], set()
    for model in models:
        for method in methods:
            found = [cell for cell in plain if (cell.model, cell.tested_on) == (model, method)]
            place = _place(model, method, attack, sorted(found, key=_age))
            if place.attacked is None:
                command, reason = fill(model, method, attack, data, protocol)
                place = replace(place, commands=(command,), reason=reason)
            places.append(place)
            used |= {cell.folder for cell in (place.clean, place.attacked) if cell is not None}
    rivals = [
        cell
        for cell in plain
        if cell.attack == attack
        and cell.folder not in used
        and cell.model in models
        and cell.tested_on in methods
    ]
    return ReportGrid(data, protocol, attack, models, methods, with_holm(places), rivals)


def is_plain(cell: ReportCell) -> bool:
    """Whether a detector without a defence is tested on the method that it was trained on, as in the paper."""
    return cell.trained_on == cell.tested_on and cell.defence == UNDEFENDED


def with_holm(places: Sequence[Place]) -> list[Place]:
    """Give places their p-values, corrected over all places and both rates.

    FNR is the same test with all faces attacked and with the fakes alone, so table 2 adds none.
    """
    tests = {
        (number, rate): place.attacked.metrics["mcnemar"][rate]["faces"]["p_clustered"]
        for number, place in enumerate(places)
        if place.attacked is not None and place.attacked.metrics.get("mcnemar") is not None
        for rate in RATES
    }
    values = [float("nan") if value is None else value for value in tests.values()]
    adjusted = {test: float(value) for test, value in zip(tests, holm(values), strict=True) if value == value}
    return [
        replace(
            place, p_values={rate: adjusted[number, rate] for rate in RATES if (number, rate) in adjusted}
        )
        for number, place in enumerate(places)
    ]


def _chosen(name: str, wish: str | None, found: Sequence[str], preferred: str = "") -> str:
    if wish is None:
        return preferred if preferred in found else Counter(found).most_common(1)[0][0]
    if wish not in found:
        known = ", ".join(dict.fromkeys(found)) or "none"
        raise UserError(f"grid.{name}={wish}: no results are of it.{nearest(wish, found)} There are: {known}")
    return wish


def _attack(wish: str | None, attacked: Sequence[ReportCell]) -> str:
    """The name of the grid's attack; a wish (or else the paper's attack) may leave out its variant, as the weights."""
    if not attacked and wish is None:
        return ATTACK
    alike = [cell.attack for cell in attacked if cell.attack_and_strength == (wish or ATTACK)]
    return (
        _chosen("attack", wish, [cell.attack for cell in attacked])
        if not alike
        else _chosen("attack", None, alike)
    )


def _models(cells: Sequence[ReportCell], data: str) -> list[str]:
    found = {cell.model for cell in cells}
    return [*(model for model in MODELS if model in found or data == DATA), *sorted(found - set(MODELS))]


def _methods(cells: Sequence[ReportCell]) -> list[str]:
    found = {cell.tested_on for cell in cells}
    return [*(METHODS if found & set(METHODS) or not found else ()), *sorted(found - set(METHODS))]


def _age(cell: ReportCell) -> tuple[str, str]:
    return cell.started, cell.name


def _place(model: str, method: str, attack: str, found: Sequence[ReportCell]) -> Place:
    """The place of a model and method, from the results that fit it, the oldest first."""
    attacked = next((cell for cell in reversed(found) if cell.attack == attack and cell.is_attacked), None)
    if attacked is not None:
        return Place(model, method, attacked, attacked)
    return Place(model, method, clean=found[-1] if found else None)
