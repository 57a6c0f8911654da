"""Bootstrap over videos: how far a figure would move had other videos been drawn for the test set.

The frames of a video are alike, so a bootstrap over frames would call intervals narrow that are not. Here whole
videos are drawn, with all their frames. Videos are drawn within their class, as many pristine and as many fake
ones as there are: the test sets of FaceForensics++ fix both numbers, and no resample lacks a class.

A resample is how often each video was drawn; figures are computed from these counts (see `weighted`). All
figures of a cell see the same resamples, so that the difference of two of them has an interval of its own, which
takes into account that both come from the same videos.

Intervals are percentiles of the resampled figure. They were preferred to BCa, whose jackknife has nothing to
correct by where most videos agree; a simulation in the tests shows how often they cover the truth. Three limits
are theirs: a rate of 0 or 100 % has an interval of no width, since no resample contains what the sample does not;
where a handful of videos changed, an interval may leave out 0 although the exact tests of `significance` do not
reject, and then the tests are to be believed; and classes are drawn apart, although a fake in FaceForensics++ shares
its scene with a pristine video.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt

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
    # A stream for each class: what is drawn from one does not hang on how many are drawn at once.
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
