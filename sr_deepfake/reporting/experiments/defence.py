"""Super resolution among the training faces as a defence: defended against undefended detectors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import UNDEFENDED, Result
from sr_deepfake.reporting.experiments.summary import Summary, detectors_named, options_of, rates
from sr_deepfake.reporting.figures.style import HATCHES, drawn
from sr_deepfake.reporting.numbers import UNDEFINED


def summarise(results: Sequence[Result]) -> Summary:
    """Compare detectors with and without attacked faces in their training, under attacks known and unknown to them.

    Rows are means over detectors; `in_training` says whether the defended detector was trained on this attack.

    Args:
        results: attacked ones, of defended and undefended detectors.
    """
    table = pd.DataFrame(
        [
            {
                "defence": result.defence,
                "attack": result.attack,
                "in_training": _in_training(result),
                **rates(result.predictions),
            }
            for result in results
        ]
    )
    groups = table.groupby(["defence", "attack", "in_training"], sort=False)
    means = groups.mean().reset_index()
    means.insert(3, "detectors", groups["fnr_attacked"].count().to_numpy())
    means = means.drop(columns=["auc_change"])
    return Summary(
        title="Attacked faces in the training as a defence",
        table=means,
        figure=drawn(
            lambda figure: _draw(
                figure, means, options_of(results, "defence"), options_of(results, "attack")
            ),
            height=2.8,
        ),
        remarks=(
            f"Detectors: {detectors_named(results)}. Means over them; rates in %, changes in points; attacked: all "
            "faces.",
            "Defence: what a training face is replaced by, and with which probability p. Validation faces, which "
            "choose the epoch, are not attacked.",
        ),
    )


def _in_training(result: Result) -> str:
    if result.defence == UNDEFENDED:
        return UNDEFINED
    return "yes" if result.defence_attack == result.attack else "no"


def _draw(figure: Figure, table: pd.DataFrame, defences: Sequence[str], attacks: Sequence[str]) -> None:
    panels: Sequence[Axes] = figure.subplots(2, 1, sharex=True)
    places = np.arange(len(attacks) + 1)  # the first is that of clean faces
    width = 0.8 / len(defences)
    for axes, name in zip(panels, ("fnr", "fpr"), strict=True):
        for number, defence in enumerate(defences):
            rows = table[table["defence"] == defence].set_index("attack")
            heights = [rows[f"{name}_clean"].mean(), *rows[f"{name}_attacked"].reindex(list(attacks))]
            axes.bar(
                places + (number - (len(defences) - 1) / 2) * width,
                np.array(heights, dtype=float) * 100,
                width,
                color="0.75" if number == 0 else "white",
                edgecolor="black",
                linewidth=0.6,
                hatch=HATCHES[number % len(HATCHES)],
                label=f"trained with {defence}" if defence != UNDEFENDED else "undefended",
            )
        axes.set_ylabel(f"{name.upper()} (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    panels[1].set_xticks(places, ["clean", *(attack.removeprefix("sr-") for attack in attacks)])
