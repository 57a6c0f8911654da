"""Does a face that the attack changed more also move the detector more? Correlations with SSIM and PSNR.

The paper reports that |r| is below 0.1 (section 5.2), for SSIM against the change of score, with pristine and fake
faces pooled. Its script took faces attacked with K = 4 and measured them at 224 px. Here it stands for each class too,
for the faces' own size, and for the change of absolute error.

The p-values take faces for independent, which frames of a video are not: they are too small. Pearson's r has an
interval over videos beside it (see `intervals`), which is not.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sr_deepfake.metrics.predictions import Videos

Array = npt.NDArray[np.float64]
MEASURES = (
    "ssim",
    "psnr",
    "ssim_224",
    "psnr_224_wrapped",
)  # at own size, and as the published script has them
CHANGES = ("score", "absolute_error")
CLASSES: dict[str, tuple[int, ...]] = {"pristine": (0,), "fake": (1,), "pooled": (0, 1)}
_LEAST = 3  # two points lie on a line whatever they are
_DECIMALS = 12  # beyond is the rounding of SSIM's own computation: identical faces have 1, or nearly


def changes(predictions: pd.DataFrame) -> dict[str, Array]:
    """Changes of each face's score and absolute error under the attack.

    Returns:
        `score`: attacked − clean, in [-1, 1], the paper's delta error. `absolute_error`: |attacked − label| −
        |clean − label|; for pristine faces the same number, for fakes its negative.

    Example:
        >>> faces = pd.DataFrame({"label": [0, 1], "score": [0.25, 0.75], "score_attacked": [0.5, 0.25]})
        >>> {name: change.tolist() for name, change in changes(faces).items()}
        {'score': [0.25, -0.5], 'absolute_error': [0.25, 0.5]}
    """
    label, clean, attacked = (
        predictions[name].to_numpy(dtype=np.float64) for name in ("label", "score", "score_attacked")
    )
    return {"score": attacked - clean, "absolute_error": np.abs(attacked - label) - np.abs(clean - label)}


def correlate(measure: Array, change: Array) -> dict[str, float | int]:
    """Pearson's and Spearman's correlation with two-sided p-values.

    Args:
        measure: N numbers, SSIM or PSNR; PSNR is infinite for a face that the attack left identical. NaN is not known:
            such faces are left out.
        change: N finite numbers.

    Returns:
        `faces`: N. `infinite`: how many measures are infinite. `pearson`, `pearson_p`: without these faces, which
        a mean cannot hold. `spearman`, `spearman_p`: with them, tied at the highest rank. NaN with fewer than
        three faces or where one side does not vary.

    Example:
        >>> found = correlate(np.array([30.0, 35, 40, np.inf]), np.array([0.3, 0.2, 0.1, 0.0]))
        >>> found["faces"], found["infinite"], round(found["pearson"], 6), round(found["spearman"], 6)
        (4, 1, -1.0, -1.0)
    """
    known = ~np.isnan(measure)
    measure, change = measure[known].round(_DECIMALS), change[known]
    finite = np.isfinite(measure)
    linear = linear_p = ranked = ranked_p = float("nan")
    if _varies(measure[finite], change[finite]):
        linear, linear_p = map(float, stats.pearsonr(measure[finite], change[finite]))
    if _varies(measure, change):
        ranked, ranked_p = map(float, stats.spearmanr(measure, change))
    return {
        "faces": len(measure),
        "infinite": int((~finite).sum()),
        "pearson": linear,
        "pearson_p": linear_p,
        "spearman": ranked,
        "spearman_p": ranked_p,
    }


def _varies(measure: Array, change: Array) -> bool:
    return len(measure) >= _LEAST and len(np.unique(measure)) > 1 and len(np.unique(change)) > 1


def correlations(predictions: pd.DataFrame) -> dict[str, dict[str, dict[str, dict[str, float | int]]]]:
    """Correlate SSIM and PSNR (`MEASURES`) with `score` and `absolute_error` (see `changes`, `correlate`).

    Args:
        predictions: the table of predictions, attacked.

    Returns:
        Class (`pristine`, `fake`, `pooled`) → measure → change → what `correlate` returns.
    """
    moved = changes(predictions)
    found: dict[str, dict[str, dict[str, dict[str, float | int]]]] = {}
    for name, labels in CLASSES.items():
        chosen = predictions["label"].isin(labels).to_numpy()
        found[name] = {
            measure: {
                change: correlate(predictions[measure].to_numpy()[chosen], moved[change][chosen])
                for change in CHANGES
            }
            for measure in MEASURES
        }
    return found


def pearson_moments(measure: Array, change: Array, chosen: npt.NDArray[np.bool_], videos: Videos) -> Array:
    """Sums for `weighted_pearson`: V×6, over each video's chosen faces with a finite measure.

    Args:
        measure: N numbers; those that are not finite are left out.
        change: N numbers.
        chosen: which of the N faces count.
        videos: of the faces.
    """
    kept = chosen & np.isfinite(measure)
    measure = measure.round(_DECIMALS)
    # Centred, so that sums of squares lose no digits.
    x, y = (
        np.where(kept, values - (values[kept].mean() if kept.any() else 0), 0)
        for values in (np.where(kept, measure, 0), change)
    )
    return np.stack([videos.sums(values) for values in (kept, x, y, x * x, y * y, x * y)], axis=1)


def weighted_pearson(moments: Array, weights: Array) -> Array:
    """Pearson's correlation in R resamples.

    Args:
        moments: of `pearson_moments`, V×6.
        weights: R×V, how often each video counts.

    Returns:
        R numbers; NaN with fewer than three faces or where one side does not vary.
    """
    # Not a matrix product, whose last digits depend on the number of threads.
    n, x, y, xx, yy, xy = np.einsum("rv,vm->mr", weights, moments)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_x, spread_y = xx - x * x / n, yy - y * y / n
        varies = (n >= _LEAST) & (spread_x > 1e-12 * xx) & (spread_y > 1e-12 * yy)  # less is rounding
        r: Array = np.where(varies, (xy - x * y / n) / np.sqrt(np.abs(spread_x * spread_y)), np.nan)
    return r
