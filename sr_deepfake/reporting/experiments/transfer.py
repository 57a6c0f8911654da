"""Detectors of one forgery method on the fakes of another: a matrix of AUC and FNR, clean and attacked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.experiments.summary import Summary, options_of, rates
from sr_deepfake.reporting.figures.style import drawn
from sr_deepfake.reporting.numbers import UNDEFINED

PANELS = {
    "auc_clean": "AUC, clean",
    "auc_attacked": "AUC, attacked",
    "fnr_clean": "FNR, clean",
    "fnr_attacked": "FNR, attacked",
}
# As the literature abbreviates them; others are shown by their first four letters.
_SHORT = {
    "Deepfakes": "DF",
    "Face2Face": "F2F",
    "FaceSwap": "FS",
    "FaceShifter": "FSh",
    "NeuralTextures": "NT",
}


def summarise(results: Sequence[Result]) -> Summary:
    """Lay out AUC and FNR of each detector on the fakes of each method.

    Args:
        results: of one model and one attack.
    """
    table = pd.DataFrame(
        [
            {"trained_on": result.trained_on, "tested_on": result.tested_on, **rates(result.predictions)}
            for result in results
        ]
    )
    wanted = ["trained_on", "tested_on", *PANELS, "fpr_clean", "fpr_attacked"]
    rows, columns = options_of(results, "trained_on"), options_of(results, "tested_on")
    return Summary(
        title=f"Transfer between forgery methods: {results[0].model}, attack {results[0].attack}",
        table=table[wanted],
        figure=drawn(lambda figure: _draw(figure, table, rows, columns), height=3.4),
        remarks=(
            "A detector of one method (trained on) is shown the fakes of another (tested on) among pristine faces. "
            "In %; attacked: all faces.",
        ),
    )


def matrix(
    table: pd.DataFrame, name: str, rows: Sequence[str], columns: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Arrange a column of the table: a row for each method trained on, a column for each tested on; NaN is missing.

    Example:
        >>> table = pd.DataFrame({"trained_on": ["A", "B"], "tested_on": ["B", "A"], "auc_clean": [0.6, 0.7]})
        >>> matrix(table, "auc_clean", ["A", "B"], ["A", "B"]).tolist()
        [[nan, 0.6], [0.7, nan]]
    """
    wide = table.pivot_table(index="trained_on", columns="tested_on", values=name, dropna=False)
    values: npt.NDArray[np.float64] = wide.reindex(index=list(rows), columns=list(columns)).to_numpy(
        dtype=np.float64
    )
    return values


def _draw(figure: Figure, table: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes: Any = figure.subplots(2, 2, sharex=True, sharey=True)
    for panel, (name, title) in zip(axes.flat, PANELS.items(), strict=True):
        _heat_map(panel, matrix(table, name, rows, columns) * 100)
        panel.set_title(title)
        panel.set_xticks(range(len(columns)), [_SHORT.get(method, method[:4]) for method in columns])
        panel.set_yticks(range(len(rows)), [_SHORT.get(method, method[:4]) for method in rows])
    for panel in axes[1]:
        panel.set_xlabel("tested on")
    for panel in axes[:, 0]:
        panel.set_ylabel("trained on")


def _heat_map(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    axes.imshow(values, cmap="Greys", vmin=0, vmax=130)  # the darkest grey still shows its frame
    for (row, column), value in np.ndenumerate(values):
        text = UNDEFINED if np.isnan(value) else f"{value:.0f}"
        axes.text(column, row, text, ha="center", va="center", color="white" if value > 70 else "black")
    axes.tick_params(length=0)
