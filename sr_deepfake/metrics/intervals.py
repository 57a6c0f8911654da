"""Intervals: of resampled values, and where resampling says nothing."""

import numpy as np
from scipy import stats

from sr_deepfake.metrics.classification import Array

LEVEL = 0.95


def percentile_interval(values: Array) -> tuple[float, float]:
    """Return the interval that holds the middle 95 % of the resampled values."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def clopper_pearson_bound(clusters: float) -> float:
    """The upper end of the exact interval of a rate of which nothing occurred in `clusters` trials."""
    return float(stats.beta.ppf((1 + LEVEL) / 2, 1, clusters))


def interval_at_limit(value: float, clusters: float) -> tuple[float, float]:
    """The interval of a rate that is exactly 0 or 1 (Clopper and Pearson, 1934)."""
    bound = clopper_pearson_bound(clusters)
    return (0.0, bound) if value == 0 else (1 - bound, 1.0)
