"""Intervals over videos: every figure of a run in every resample of its videos, in one pass."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from sr_deepfake.metrics.correlation import (
    CHANGES,
    CLASSES,
    MEASURES,
    changes,
    pearson_moments,
    weighted_pearson,
)
from sr_deepfake.metrics.predictions import SIMILARITY, videos_of
from sr_deepfake.metrics.weighted import rank, weighted_metrics

Array = npt.NDArray[np.float64]
Name = TypeVar("Name")

RESAMPLES = 2_000
LEVEL = 0.95
SEED = 0
_CELLS = 2**17  # numbers of a matrix of weights of faces: what a core's cache holds with its intermediates


def draw_videos(
    labels: npt.ArrayLike, resamples: int = RESAMPLES, seed: int = SEED, at_once: int | None = None
) -> Iterator[Array]:
    """Draw videos with replacement, within each class as many as it has.

    Args:
        labels: V labels of videos; 1 is fake, 0 pristine.
        resamples: how many times.
        seed: the draws follow from it alone, however many come at once.
        at_once: how many resamples a matrix holds; all of them unless told.

    Yields:
        at_once×V float64: how often each video was drawn.

    Raises:
        ValueError: there are less than one resample or no videos.

    Example:
        >>> for drawn in draw_videos([0, 0, 0, 1, 1], resamples=2, seed=1):
        ...     print(drawn.astype(int).tolist())
        [[1, 0, 2, 1, 1], [1, 1, 1, 1, 1]]
    """
    label = np.asarray(labels)
    if resamples < 1 or not len(label):
        raise ValueError(f"{resamples} resamples of {len(label)} videos cannot be drawn; one is the least")
    # A stream for each class: what is drawn from one does not depend on how many are drawn at once.
    streams = [np.random.default_rng(sequence) for sequence in np.random.SeedSequence(seed).spawn(2)]
    members = [np.flatnonzero(label == value) for value in (0, 1)]
    for start in range(0, resamples, at_once or resamples):
        count = min(at_once or resamples, resamples - start)
        drawn = np.zeros((count, len(label)))
        for stream, videos in zip(streams, members, strict=True):
            if len(videos):
                picks = stream.integers(len(videos), size=(count, len(videos)))
                picks += len(videos) * np.arange(count)[:, None]
                times = np.bincount(picks.ravel(), minlength=count * len(videos))
                drawn[:, videos] = times.reshape(count, len(videos))
        yield drawn


def resampled(
    figures: Callable[[Array], Mapping[Name, Array]],
    labels: npt.ArrayLike,
    faces: int,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> dict[Name, Array]:
    """Compute figures for every resample.

    Args:
        figures: R×V counts of videos → figures, each of shape R.
        labels: V labels of videos.
        faces: how many faces the videos have; bounds the memory that `figures` needs.
        resamples: how many.
        seed: of the draws.

    Returns:
        Each figure's values, of shape `resamples`.
    """
    at_once = max(1, _CELLS // max(faces, 1))
    parts = [figures(drawn) for drawn in draw_videos(labels, resamples, seed, at_once)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def percentile_interval(values: Array, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval that holds the middle `level` of the resampled values.

    Args:
        values: a figure in every resample. Where it is undefined (NaN: the precision of a resample without a
            face that is called fake) the resample is left out; with none left, the interval is NaN.
        level: share of the resamples within.

    Example:
        >>> low, high = percentile_interval(np.arange(1001.0))
        >>> round(low, 6), round(high, 6)
        (25.0, 975.0)
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


Figures = dict[tuple[str, ...], Array]
# Figures that depend on one class; all others depend on both.
OF_ONE_CLASS = {"fnr": "fake", "recall": "fake", "fpr": "pristine"}


def run_intervals(
    predictions: pd.DataFrame, setups: Mapping[str, npt.ArrayLike], resamples: int, seed: int
) -> dict[str, Any]:
    """Compute 95 % intervals over videos for all figures of a setup (see `bootstrap`).

    Args:
        predictions: the table of predictions, N rows.
        setups: for each setup the N scores; `clean`, and `both` and `fake` where faces were attacked.
        resamples: how many times videos are drawn.
        seed: of the draws.

    Returns:
        [low, high] for each figure, under the same names as the figure itself has in `run_metrics`. NaN where
        the figure depends on a class of one video, which says nothing about how videos differ.
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
        for measure in SIMILARITY:
            values = predictions[measure].to_numpy()
            counted = chosen & np.isfinite(values)
            means["similarity", name, measure] = (np.where(counted, values, 0.0), counted.astype(np.float64))
    return means


def _classes(path: tuple[str, ...]) -> set[str]:
    """The classes that a figure depends on."""
    if path[0] in ("similarity", "correlation") and path[1] != "pooled":
        return {path[1]}
    return {OF_ONE_CLASS[path[-1]]} if path[-1] in OF_ONE_CLASS else {"pristine", "fake"}


def _put(tree: dict[str, Any], path: tuple[str, ...], value: list[float]) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
