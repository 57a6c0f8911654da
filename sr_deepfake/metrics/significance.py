"""Did the attack change decisions? McNemar's exact test, the same over videos, and Holm's correction.

McNemar's test looks at the faces whose decision changed and asks whether as many turned wrong as turned right.
Over frames, it takes each for an independent witness, which frames of a video are not: ten frames of one fake that
the attack hides are nearly one witness, and the test's p-values are too small. So two tests stand beside it: the
same test over videos, whose decision follows from their mean score, and `clustered_mcnemar`, which is about
the faces' rates and treats a video as the unit. The latter is the one to quote for the FNR and FPR of faces.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sr_deepfake.metrics.functional import THRESHOLD
from sr_deepfake.metrics.predictions import videos_of

Array = npt.NDArray[np.float64]
RATES = {"fnr": 1, "fpr": 0}  # the class whose wrong decisions the rate counts


def mcnemar_exact(right_to_wrong: int, wrong_to_right: int) -> float:
    """Two-sided exact McNemar test: the p-value of as many changes one way out of all, at even odds.

    Args:
        right_to_wrong: how many decisions were right on the clean face and wrong on the attacked one.
        wrong_to_right: how many the other way.

    Returns:
        Twice the smaller tail of the binomial distribution, at most 1; 1 when nothing changed.

    Example:
        >>> mcnemar_exact(8, 1)
        0.0390625
    """
    changed = right_to_wrong + wrong_to_right
    return min(1.0, 2 * float(stats.binom.cdf(min(right_to_wrong, wrong_to_right), changed, 0.5)))


def clustered_mcnemar(right_to_wrong: npt.ArrayLike, wrong_to_right: npt.ArrayLike) -> float:
    """McNemar's exact test for faces that come in videos: two-sided, by the signs of the videos' changes.

    If the attack did nothing, clean and attacked could be swapped for any video as a whole. A swap turns the
    sign of the video's surplus of spoiled decisions. The p-value is the share of all 2^V choices of signs
    whose total is at least as far from zero as the observed one, counted exactly. With one face a video this
    is `mcnemar_exact`.

    Args:
        right_to_wrong: for each of V videos, how many of its faces turned from right to wrong.
        wrong_to_right: how many turned the other way.

    Example:
        >>> round(clustered_mcnemar([3, 2, 0, 1], [0, 0, 0, 0]), 6), mcnemar_exact(6, 0)
        (0.25, 0.03125)
    """
    surplus = np.asarray(right_to_wrong, dtype=np.int64) - np.asarray(wrong_to_right, dtype=np.int64)
    sizes, counts = np.unique(np.abs(surplus[surplus != 0]), return_counts=True)
    # The chance that videos with surpluses of k in all are given a plus. How many of one size are is binomial,
    # which leaves one convolution a size.
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spread = np.zeros(size * count + 1)
        spread[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spread)
    totals = 2 * np.arange(len(chances)) - (len(chances) - 1)  # what has a plus less what has a minus
    return min(1.0, float(chances[np.abs(totals) >= abs(int(surplus.sum()))].sum()))


def holm(p_values: npt.ArrayLike) -> Array:
    """Correct p-values for how many there are, by Holm's step-down method.

    Args:
        p_values: one for each test of the family; NaN (or None) where there was nothing to test: such a test
            does not count and stays NaN.

    Returns:
        Adjusted p-values, in the same order. Rejecting those below α keeps the chance of any false rejection
        in the family below α.

    Raises:
        ValueError: a p-value is not in [0, 1].

    Example:
        >>> holm([0.01, 0.04, 0.03]).tolist()
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    if not ((values[tested] >= 0) & (values[tested] <= 1)).all():
        raise ValueError("p-values are in [0, 1]; some go beyond")
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
    return adjusted


def decision_changes(predictions: pd.DataFrame) -> dict[str, dict[str, dict[str, float | int]]]:
    """Test the changes of decisions from clean to attacked, for FNR (among fakes) and FPR (among pristine).

    Args:
        predictions: the table of predictions, attacked.

    Returns:
        For `fnr` and `fpr`, under `faces` and under `videos`: `right_to_wrong`, `wrong_to_right` (counts) and `p`,
        the exact McNemar test of these counts. `faces` has `p_clustered` too (see `clustered_mcnemar`).
        p-values of a class without faces are NaN.

    Example:
        >>> faces = pd.DataFrame(
        ...     {"video_id": ["a", "a", "b"], "label": 1, "score": 0.9, "score_attacked": [0.2, 0.1, 0.8]}
        ... )
        >>> decision_changes(faces)["fnr"]["faces"]
        {'right_to_wrong': 2, 'wrong_to_right': 0, 'p': 0.5, 'p_clustered': 1.0}
    """
    return {
        rate: _changes(predictions[predictions["label"] == label], label) for rate, label in RATES.items()
    }


def _changes(faces: pd.DataFrame, label: int) -> dict[str, dict[str, float | int]]:
    videos = videos_of(faces)
    clean, attacked = (faces[name].to_numpy() for name in ("score", "score_attacked"))
    spoilt, mended = _turned(clean, attacked, label)
    tests = {
        "faces": _mcnemar(spoilt, mended),
        "videos": _mcnemar(*_turned(videos.means(clean), videos.means(attacked), label)),
    }
    tests["faces"]["p_clustered"] = (
        clustered_mcnemar(videos.sums(spoilt), videos.sums(mended)) if len(faces) else float("nan")
    )
    return tests


def _turned(clean: Array, attacked: Array, label: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    before, after = ((scores > THRESHOLD) == (label == 1) for scores in (clean, attacked))
    return before & ~after, ~before & after


def _mcnemar(spoilt: npt.NDArray[np.bool_], mended: npt.NDArray[np.bool_]) -> dict[str, float | int]:
    worse, better = int(spoilt.sum()), int(mended.sum())
    p = mcnemar_exact(worse, better) if len(spoilt) else float("nan")
    return {"right_to_wrong": worse, "wrong_to_right": better, "p": p}
