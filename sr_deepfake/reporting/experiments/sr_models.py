"""The attack with several super-resolution networks, and with interpolation in their place: FNR against SSIM."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sr_deepfake.experiment.results import Result
from sr_deepfake.reporting.experiments.summary import Summary, detectors_named, options_of, rates
from sr_deepfake.reporting.figures.style import GREYS, LINES, MARKERS, drawn


def summarise(results: Sequence[Result]) -> Summary:
    """Compare the networks at each K, averaged over the detectors.

    A mean is over the detectors that have been attacked by this network at this K; `detectors` counts them.
    `ssim` and `psnr` are means over fakes, the class that FNR is about.

    Args:
        results: attacked ones, each with a network or an interpolation in its place.
    """
    table = pd.DataFrame(
        [
            {
                "network": result.network,
                "scale": result.scale,
                **_similarity(result.predictions),
                **rates(result.predictions),
            }
            for result in results
        ]
    )
    groups = table.groupby(["network", "scale"], sort=False)
    means = groups.mean().reset_index()
    means.insert(2, "detectors", groups["ssim"].count().to_numpy())
    order = {name: place for place, name in enumerate(options_of(results, "network"))}
    means = means.sort_values(
        ["network", "scale"], key=lambda column: column.map(order) if column.name == "network" else column
    ).reset_index(drop=True)
    return Summary(
        title="Super-resolution networks and interpolation in the attack",
        table=means,
        figure=drawn(lambda figure: _draw(figure, means), height=2.4),
        remarks=(
            f"Detectors: {detectors_named(results)}. Means over them; rates in %, changes in points; attacked: all "
            "faces. SSIM and PSNR: of fakes, attacked against clean.",
            "bicubic and lanczos are the controls: the same scaling down and up without a network.",
        ),
    )


def _similarity(predictions: pd.DataFrame) -> dict[str, float]:
    """Mean SSIM and PSNR of the fakes. Unchanged faces have an infinite PSNR and are left out."""
    fakes = predictions[predictions["label"] == 1]
    return {"ssim": float(fakes["ssim"].mean()), "psnr": float(fakes["psnr"].replace(np.inf, np.nan).mean())}


def _draw(figure: Figure, table: pd.DataFrame) -> None:
    axes: Axes = figure.subplots()
    for number, network in enumerate(dict.fromkeys(table["network"])):
        points = table[(table["network"] == network) & table["ssim"].notna()]
        if points.empty:
            continue
        axes.plot(
            points["ssim"],
            points["fnr_attacked"] * 100,
            linestyle=LINES[number % len(LINES)],
            marker=MARKERS[number % len(MARKERS)],
            color=GREYS[number % len(GREYS)],
            label=network,
        )
        for ssim, fnr, scale in zip(points["ssim"], points["fnr_attacked"], points["scale"], strict=True):
            axes.annotate(
                f"×{scale}",
                (ssim, fnr * 100),
                xytext=(2, 3 if number % 2 == 0 else -9),
                textcoords="offset points",
            )
    axes.axhline(float(table["fnr_clean"].mean()) * 100, color="0.7", linewidth=0.8, label="clean", zorder=0)
    axes.set_xlabel("SSIM of attacked fakes")
    axes.set_ylabel("FNR (%)")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
