"""The robustness card of a detector: what each attack does to it, and what they do together."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.metrics.figures import Figure, Metrics
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.worst_case import WorstCase, difference, worst_case
from sr_deepfake.reporting.grid import ReportGrid, newest_first
from sr_deepfake.reporting.numbers import CHANGED, UNDEFINED, show, show_change, show_value
from sr_deepfake.reporting.published import model_name
from sr_deepfake.reporting.table import ReportTable, Row
from sr_deepfake.reporting.tables import bootstrapped

LEAST = 3  # attacks on a detector, from which there is a card
RESAMPLES = 500  # where the faces of several methods are taken together


@dataclass(frozen=True)
class Card:
    """What some attacks do to a detector, over all forgery methods that it is tested on."""

    result: Result  # one of its results, for its labels
    methods: Sequence[str]  # forgery methods, whose faces are taken together
    # Attack → its figures on the faces that it was scored on, and the methods that it was not scored on.
    attacks: dict[str, tuple[Metrics, tuple[str, ...]]]
    worst: WorstCase  # what those that were scored on all methods do together
    tables: dict[str, pd.DataFrame]  # of these attacks: their faces
    # The worst case over the attacks that all detectors met which were tested on these methods; by it they are ranked.
    ranked: WorstCase | None = None
    absent: Sequence[str] = ()  # attacks that other detectors of the report met, and those that a suite left out
    mark: str = ""  # what sets it apart from others of the same labels: its seed, or its folder's name

    @property
    def name(self) -> str:
        """The detector in words."""
        return " on ".join(reversed(self.labels))

    @property
    def labels(self) -> tuple[str, str]:
        """The forgery methods and the model, with its defence, in words."""
        run = self.result.run
        defence = "" if run.defence == UNDEFENDED else f"defence {run.defence}"
        marks = ", ".join(filter(None, (defence, self.mark)))
        return self.tested_on, model_name(run.model) + (f" ({marks})" if marks else "")

    @property
    def tested_on(self) -> str:
        """The forgery methods in words."""
        return self.methods[0] if len(self.methods) == 1 else f"{len(self.methods)} methods"

    @property
    def order(self) -> list[str]:
        """The attacks, the worst first; then those that were not scored on all methods."""
        return [*self.worst.errors, *(name for name in self.attacks if name not in self.worst.errors)]

    @property
    def rank_error(self) -> float:
        """The balanced error by which detectors are ranked."""
        found = None if self.ranked is None else self.ranked.metrics.value("both", "balanced_accuracy")
        return 1.0 if found is None else 1 - found

    @property
    def error(self) -> Figure:
        """The balanced error of the worst case, from the balanced accuracy."""
        return balanced_error(self.worst.metrics.figure("both", "balanced_accuracy"))


def balanced_error(accuracy: Figure) -> Figure:
    """1 − balanced accuracy, with the ends of its intervals."""

    def less(value: float | None) -> float | None:
        return None if value is None else 1 - value

    return Figure(value=less(accuracy.value), low=less(accuracy.high), high=less(accuracy.low))


def cards_of(
    results: Sequence[Result], grid: ReportGrid, left_out: Mapping[str, Sequence[str]] | None = None
) -> list[Card]:
    """The cards of the detectors of the grid that met three attacks or more on all of their methods, the best first.

    left_out: name of a folder of results → what the suite that made it left out.
    """
    found: dict[str, dict[str, dict[str, Result]]] = {}  # detector → attack → method → newest result
    tested: dict[tuple[str, str], tuple[str, str]] = {}  # detector and method → faces and weights of the newest result
    for result in sorted(results, key=newest_first):
        run = result.run
        own = run.is_external or run.crosses_data or run.trained_on == run.forgery
        if not (result.is_attacked and own and run.test_side is None and run.fits(grid.data, grid.protocol)):
            continue
        same = (run.test_faces, run.weights)
        if tested.setdefault((run.detector, run.forgery), same) == same:
            found.setdefault(run.detector, {}).setdefault(run.attack.name, {}).setdefault(run.forgery, result)
    met = {detector: attacks for detector, attacks in found.items() if len(attacks) >= LEAST}
    every = sorted({attack for attacks in met.values() for attack in attacks})
    cards = []
    for attacks in met.values():
        scored = [result for of_attack in attacks.values() for result in of_attack.values()]
        tested_on = {result.run.forgery for result in scored}
        methods = [method for method in grid.methods if method in tested_on] or sorted(tested_on)
        figures = {}
        whole = {}
        for attack, of_attack in attacks.items():
            parts = list(of_attack.values())
            faces = pd.concat([result.predictions for result in parts]).drop_duplicates("face_id", ignore_index=True)
            missing = tuple(method for method in methods if method not in of_attack)
            metrics = parts[0].metrics if len(parts) == 1 else run_metrics(faces, resamples=RESAMPLES)
            figures[attack] = (metrics, missing)
            if not missing:
                whole[attack] = faces
        if len(whole) < LEAST:
            continue
        unknown = dict.fromkeys(line for result in scored for line in (left_out or {}).get(result.name, ()))
        absent = [*(attack for attack in every if attack not in attacks), *unknown]
        worst = worst_case(whole, RESAMPLES if len(methods) > 1 else 2_000)
        cards.append(Card(scored[0], methods, figures, worst, whole, absent=absent))
    ranked = [_ranked(_marked(card, cards), cards) for card in cards]
    return sorted(ranked, key=lambda card: (card.tested_on, card.rank_error, card.name))


def _marked(card: Card, cards: Sequence[Card]) -> Card:
    """The card with its seed, or its detector's name, where others have the same labels."""
    same = [other.result.run for other in cards if other.labels == card.labels]
    if len(same) == 1:
        return card
    run = card.result.run
    by_seed = len({other.seed for other in same}) == len(same)
    return replace(card, mark=f"seed {run.seed}" if by_seed else run.detector)


def _ranked(card: Card, cards: Sequence[Card]) -> Card:
    """The card with the worst case over the attacks that all detectors of the same methods met."""
    rivals = [other.tables for other in cards if other.methods == card.methods]
    shared = {attack: card.tables[attack] for attack in card.worst.errors if all(attack in each for each in rivals)}
    if len(shared) == len(card.tables):
        return replace(card, ranked=card.worst)
    return replace(card, ranked=worst_case(shared, RESAMPLES)) if shared else card


def card_tables(cards: Sequence[Card], grid: ReportGrid) -> list[ReportTable]:
    """The worst cases, one row a detector, ranked; and what each attack does to each detector."""
    if not cards:
        return []
    words = f"Data: {grid.data}, protocol {grid.protocol}. {grid.illustration}".strip()
    return [_ranking(cards, words), attack_table(cards, words)]


def _ranking(cards: Sequence[Card], words: str) -> ReportTable:
    rows = []
    for card, following in itertools.zip_longest(cards, cards[1:]):
        worst, clean = card.worst, balanced_error(card.worst.metrics.figure("clean", "balanced_accuracy"))
        hardest, error = next(iter(worst.errors.items()))
        both = [worst.metrics.figure("both", rate) for rate in ("fnr", "fpr")]
        enough = f"{worst.needed} ({', '.join(list(worst.reached)[: worst.needed]) or 'none'})"
        rows.append(
            [
                *card.labels,
                str(len(worst.errors)),
                show(clean.value),
                show(worst.mean["balanced_error"]),
                f"{show(error)} ({hardest})",
                *map(show_value, (card.error, *both)),
                enough,
                UNDEFINED if card.ranked is None else f"{show(card.rank_error)} (of {len(card.ranked.errors)})",
                _worse_by(card, following),
            ]
        )
    absent = [f"{card.name}: no results of {', '.join(card.absent)}." for card in cards if card.absent]
    partial = [
        f"{card.name}: {attack} has no results on {', '.join(missing)}, and is no part of the worst case."
        for card in cards
        for attack, (_, missing) in card.attacks.items()
        if missing
    ]
    counted = f"Faces of the worst case: {'; '.join(f'{card.name} {len(card.worst.faces):,}' for card in cards)}."
    return ReportTable(
        name="worst_case",
        title="Worst case over all attacks",
        columns=["Tested on", "Model", "Attacks", "Clean", "Mean", "Worst attack", "Worst case", "FNR", "FPR",
                 "Enough for 95 %", "Shared attacks", "Next is worse by"],
        rows=rows,
        caption=f"Balanced error (mean of FNR and FPR) in %, the best detector first. {words} "
        f"{bootstrapped(card.worst.metrics for card in cards)}",
        text_columns=2,
        group_by=1,
        remarks=[
            "Worst case: a fake counts as missed if it is missed clean or under any of the attacks, a pristine face as accused "
            "likewise; FNR and FPR are of that. Mean and worst attack are of single attacks. Enough for 95 %: the fewest "
            "attacks, each the one that adds most, that reach 95 % of the worst case's error. Shared attacks: worst case over "
            "the attacks that all detectors met which were tested on the same methods; by it they are ranked, and the next one "
            "is worse by that difference, on the same faces and resamples.",
            counted,
            *absent,
            *partial,
        ],
    )  # fmt: skip


def _worse_by(card: Card, following: Card | None) -> str:
    """By how much the next detector's error is larger, where both were scored on the same faces."""
    if card.ranked is None or following is None or following.ranked is None:
        return UNDEFINED
    own, other = card.ranked.faces, following.ranked.faces
    if set(own["face_id"]) != set(other["face_id"]):
        return UNDEFINED
    change, interval = difference(own, other, "balanced_accuracy")  # a fall of it is a rise of the error
    return show(-change, "points", None if interval is None else (-interval[1], -interval[0]))


def attack_table(cards: Sequence[Card], words: str) -> ReportTable:
    """What each attack does: rates, changes with intervals, SSIM; the worst attack first."""
    rows: list[Row] = []
    rules = []
    for card in cards:
        rules.append(len(rows))
        rows.append(_row(card, "none (clean)", card.worst.metrics, "clean"))
        rows += [_row(card, attack, card.attacks[attack][0], "both") for attack in card.order]
        rows.append(_row(card, "all together: worst case", card.worst.metrics, "both"))
    rates = [word for metric in CHANGED for word in (metric.upper(), f"{metric.upper()} change")]
    return ReportTable(
        name="suite",
        title="Every attack on every detector" if len(cards) > 1 else "Every attack",
        columns=["Tested on", "Model", "Attack", *rates, "SSIM"],
        rows=rows,
        caption=f"Rates in %, changes in points with 95 % intervals, all faces attacked. {words}",
        text_columns=3,
        group_by=2,
        rules=rules[1:],
        remarks=["SSIM is of the attacked fakes."],
    )


def _row(card: Card, attack: str, metrics: Metrics, setup: str) -> list[str]:
    cells = []
    for metric in CHANGED:
        figure = metrics.figure(setup, metric)
        cells += [show(figure.value), "" if setup == "clean" else show_change(figure)]
    similar = "" if attack not in card.attacks else show(metrics.value("similarity/fake", "ssim"), "")
    return [*card.labels, attack, *cells, similar]
