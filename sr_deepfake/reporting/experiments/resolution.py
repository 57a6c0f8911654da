"""The attack's success by the face's side, which the paper names as future work."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.experiments.summary import Summary, detectors_named, rates
from sr_deepfake.reporting.figures.style import GREYS, LINES, MARKERS, drawn
from sr_deepfake.reporting.numbers import UNDEFINED

ALL = "all"
BINS = 4  # each of as many faces as the sides allow


def summarise(results: Sequence[Result]) -> Summary:
    """Compute FNR and FPR, clean and attacked, of faces of similar side.

    The bins are the same for all detectors. The rows of `all` pool the decisions of all detectors; where their
    test sets share pristine faces, each of these counts once a detector.

    Args:
        results: attacked ones.
    """
    pooled = pd.concat([result.predictions for result in results], ignore_index=True)
    uppers = upper_edges(pooled["side"].to_numpy())
    names = [*dict.fromkeys(result.trained_on for result in results)]
    parts = {
        name: pd.concat([result.predictions for result in results if result.trained_on == name])
        for name in names
    }
    if len(parts) > 1:
        parts = {ALL: pooled} | parts
    table = pd.DataFrame(
        [{"trained_on": name, **row} for name, part in parts.items() for row in _rows(part, uppers)]
    )
    first = table[table["trained_on"] == next(iter(parts))]
    attacks = ", ".join(dict.fromkeys(result.attack for result in results))
    return Summary(
        title=f"Success of {attacks} by the face's side",
        table=table.drop(columns=["auc_clean", "auc_attacked", "auc_change"]),
        figure=drawn(lambda figure: _draw(figure, first), height=3.0),
        remarks=(
            f"Detectors: {detectors_named(results)}. Rates in %, changes in points; attacked: all faces.",
            f"Bins by quantiles of the side; the figure shows "
            f"{'all detectors together' if len(parts) > 1 else 'this detector'}, with pristine + fake faces below.",
        ),
    )


def upper_edges(sides: npt.ArrayLike, bins: int = BINS) -> list[int]:
    """The largest side of each bin; the last one is the largest of all.

    Args:
        sides: of the faces, px.
        bins: how many quantiles. Fewer come out where many faces have the same side.

    Example:
        >>> upper_edges([24, 48, 72, 96], bins=2)
        [48, 96]
    """
    quantiles = np.quantile(np.asarray(sides), np.arange(1, bins + 1) / bins, method="inverted_cdf")
    return [int(value) for value in np.unique(quantiles)]


def _rows(predictions: pd.DataFrame, uppers: Sequence[int]) -> list[dict[str, object]]:
    place = np.searchsorted(
        uppers, predictions["side"].to_numpy()
    )  # the first bin whose upper edge is not below
    rows: list[dict[str, object]] = []
    for number, upper in enumerate(uppers):
        faces = predictions[place == number]
        fakes = int(faces["label"].sum())
        lower = f"{uppers[number - 1] + 1}–" if number else "≤ "
        last = number == len(uppers) - 1 and number > 0
        side = f"> {uppers[number - 1]}" if last else f"{lower}{upper}"
        rows.append({"side": side, "pristine": len(faces) - fakes, "fake": fakes, **rates(faces)})
    return rows


def _draw(figure: Figure, table: pd.DataFrame) -> None:
    axes: Sequence[Axes] = figure.subplots(2, 1, sharex=True)
    places = np.arange(len(table))
    for panel, name in zip(axes, ("fnr", "fpr"), strict=True):
        for number, state in enumerate(("clean", "attacked")):
            panel.plot(
                places,
                table[f"{name}_{state}"] * 100,
                linestyle=LINES[number],
                marker=MARKERS[number],
                color=GREYS[number],
                label=state,
            )
        panel.set_ylabel(f"{name.upper()} (%)")
        panel.set_ylim(bottom=0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    counts = [
        f"{side}\n{pristine} + {fake}" if pristine + fake else f"{side}\n{UNDEFINED}"
        for side, pristine, fake in zip(table["side"], table["pristine"], table["fake"], strict=True)
    ]
    axes[1].set_xticks(places, counts)
    axes[1].set_xlabel("side of the face (px)")
