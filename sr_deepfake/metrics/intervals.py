"""The intervals of a cell: every figure of it in every resample of its videos, in one pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sr_deepfake.metrics.bootstrap import LEVEL, percentile_interval, resampled
from sr_deepfake.metrics.correlation import (
    CHANGES,
    CLASSES,
    MEASURES,
    changes,
    pearson_moments,
    weighted_pearson,
)
from sr_deepfake.metrics.videos import videos_of
from sr_deepfake.metrics.weighted import rank, weighted_metrics

Array = npt.NDArray[np.float64]
Figures = dict[tuple[str, ...], Array]
# Figures that hang on one class; all others hang on both.
OF_ONE_CLASS = {"fnr": "fake", "recall": "fake", "fpr": "pristine"}


def cell_intervals(
    predictions: pd.DataFrame, setups: Mapping[str, npt.ArrayLike], resamples: int, seed: int
) -> dict[str, Any]:
    """Compute 95 % intervals over videos for all figures of a cell (see `bootstrap`).

    Args:
        predictions: the table of predictions, N rows.
        setups: for each setup the N scores; `clean`, and `both` and `fake` where faces were attacked.
        resamples: how many times videos are drawn.
        seed: of the draws.

    Returns:
        [low, high] for each figure, under the same names as the figure itself has in `cell_metrics`. NaN where
        the figure hangs on a class of one video, which says nothing about how videos differ.
    """
    videos = videos_of(predictions)
    attacked = "both" in setups
    by_face = {name: rank(scores, predictions["label"], videos.units) for name, scores in setups.items()}
    by_video = {name: rank(videos.means(scores), videos.labels) for name, scores in setups.items()}
    means = _similarity(predictions) if attacked else {}
    sums = {
        path: np.stack([videos.sums(part) for part in (values, counted)], 1)
        for path, (values, counted) in means.items()
    }
    moved = changes(predictions)
    moments = {
        ("correlation", name, measure, change, "pearson"): pearson_moments(
            predictions[measure].to_numpy(),
            moved[change],
            predictions["label"].isin(labels).to_numpy(),
            videos,
        )
        for name, labels in CLASSES.items()
        for measure in MEASURES
        for change in CHANGES
        if attacked
    }

    def figures(drawn: Array) -> Figures:
        found: Figures = {}
        for prefix, rankings in (((), by_face), (("video",), by_video)):
            rows = {name: weighted_metrics(ranking, drawn) for name, ranking in rankings.items()}
            for name, row in rows.items():
                for metric, values in row.items():
                    found[(*prefix, name, metric)] = values
                    if name != "clean":
                        found[(*prefix, "changes", name, metric)] = values - rows["clean"][metric]
        with np.errstate(invalid="ignore"):
            for path, part in sums.items():
                total, counted = np.einsum("rv,vm->mr", drawn, part)
                found[path] = total / counted
        for path, part in moments.items():
            found[path] = weighted_pearson(part, drawn)
        return found

    values = resampled(figures, videos.labels, len(predictions), resamples, seed)
    single = {
        name for name, label in (("pristine", 0), ("fake", 1)) if int((videos.labels == label).sum()) == 1
    }
    tree: dict[str, Any] = {}
    for path, resampled_values in values.items():
        unknown = single & _classes(path)
        _put(tree, path, [np.nan, np.nan] if unknown else list(percentile_interval(resampled_values, LEVEL)))
    return tree


def _similarity(predictions: pd.DataFrame) -> dict[tuple[str, ...], tuple[Array, Array]]:
    """For each mean of `similarity`: the values of the faces it is over, 0 for the others; and which these are."""
    means: dict[tuple[str, ...], tuple[Array, Array]] = {}
    for name in ("pristine", "fake"):
        chosen = predictions["label"].isin(CLASSES[name]).to_numpy()
        for measure in ("ssim", "psnr", "psnr_wrapped"):
            values = predictions[measure].to_numpy()
            counted = chosen & np.isfinite(values)
            means["similarity", name, measure] = (np.where(counted, values, 0.0), counted.astype(np.float64))
    return means


def _classes(path: tuple[str, ...]) -> set[str]:
    """The classes that a figure hangs on."""
    if path[0] in ("similarity", "correlation") and path[1] != "pooled":
        return {path[1]}
    return {OF_ONE_CLASS[path[-1]]} if path[-1] in OF_ONE_CLASS else {"pristine", "fake"}


def _put(tree: dict[str, Any], path: tuple[str, ...], value: list[float]) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
