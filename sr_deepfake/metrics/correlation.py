"""Does a face that the attack changed more also move the detector more? Correlations, for weighted faces.

The paper reports |r| below 0.1 (section 5.2), for SSIM against the change of score, pristine and fake faces pooled. Its
script took faces that were resized to 224 px and attacked there with K = 4: `experiment=correlation`.
"""

from collections.abc import Callable

import numpy as np

from sr_deepfake.metrics.classification import Array, Index

Correlation = Callable[[Array], Array]  # R×N weights of faces → R values

LEAST = 3  # two points are on a line whatever they are
_DECIMALS = 12  # beyond is rounding of SSIM's own computation: identical faces have 1, or nearly


def pearson(x: Array, y: Array) -> Correlation:
    """Pearson's correlation of weighted faces, without those of an infinite x."""
    kept = np.isfinite(x)
    x, y = np.where(kept, x, 0).round(_DECIMALS), np.where(kept, y, 0)

    def correlation(weights: Array) -> Array:
        return _weighted_pearson(x, y, weights * kept)

    return correlation


def spearman(x: Array, y: Array) -> Correlation:
    """Spearman's correlation of weighted faces: Pearson's of their ranks among the weighted faces."""
    kept = ~np.isnan(x)
    rank_x, rank_y = (_ranks(np.where(kept, values, 0)) for values in (x.round(_DECIMALS), y))

    def correlation(weights: Array) -> Array:
        counted = weights * kept
        return _weighted_pearson(rank_x(counted), rank_y(counted), counted)

    return correlation


def _ranks(values: Array) -> Correlation:
    """R×N weights → the middle of each face's ranks when faces are repeated by their weights."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts: Index = np.flatnonzero(np.diff(group[order], prepend=-1))

    def ranked(weights: Array) -> Array:
        sizes = np.add.reduceat(weights[:, order], starts, axis=1)
        middles: Array = np.cumsum(sizes, axis=1) - sizes / 2
        return middles[:, group]

    return ranked


def _weighted_pearson(x: Array, y: Array, weights: Array) -> Array:
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Centred first, so that sums of squares lose no digits.
        dx, dy = (values - ((weights * values).sum(axis=1) / total)[:, None] for values in (x, y))
        xx, yy, xy = (np.einsum("rn,rn,rn->r", weights, a, b) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
        scale_x, scale_y = ((weights * np.square(values)).sum(axis=1) for values in (x, y))
        varies = (total >= LEAST) & (xx > 1e-18 * scale_x) & (yy > 1e-18 * scale_y)  # less is rounding
        r: Array = np.where(varies, xy / np.sqrt(xx * yy), np.nan)
    return r
