"""What the attack did to decisions: how many it turned, and whether figures changed by more than chance.

If the attack did nothing, clean and attacked could be swapped for any cluster as a whole. `sign_flip_test` does so for
the rates at a threshold, exactly; `auc_test` for the AUC, with random swaps. With one face a cluster, the first is McNemar's
exact test; with clusters it is a test of exchangeability of clustered matched pairs (Obuchowski, 1998; Durkalski et al.,
2003, for the same question by a normal approximation). `holm` corrects p-values for their number.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sr_deepfake.metrics.classification import THRESHOLD, Array, Index
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.figures import Turned
from sr_deepfake.metrics.predictions import setup_scores, videos_of

RATES = {"fnr": 1, "fpr": 0}  # the class whose wrong decisions the rate counts
SWAPS = 1_999
_SWAPS_AT_ONCE = 200
MOST_GROUPS = 500  # of clusters that are swapped together in the test of the AUC, whose memory grows with their square


def change_tests(
    tables: Sequence[pd.DataFrame], clusters: Clusters
) -> tuple[dict[str, Turned], dict[tuple[str, str], float]]:
    """Count the decisions that the attack turned, and test the changes."""
    label, videos = tables[0]["label"].to_numpy(), videos_of(tables[0])
    face = np.zeros(len(videos.labels), dtype=np.intp)
    face[videos.units] = np.arange(len(label))  # one of each video
    pairs = [[table[name].to_numpy() for name in ("score", "score_attacked")] for table in tables]
    of_faces = _turned(pairs, label)
    of_videos = _turned([[videos.means(scores) for scores in pair] for pair in pairs], videos.labels)
    turned: dict[str, Turned] = {}
    p_values: dict[tuple[str, str], float] = {}
    for rate, value in RATES.items():
        worsened, improved = (int(counts[label == value].sum()) for counts in of_faces)
        turned[rate] = Turned(worsened=worsened, improved=improved)
        own = [np.where(label == value, group, -1) for group in clusters.groups()]
        p_values["both", rate] = max(sign_flip_test(*of_faces, group) for group in own)
        p_values["video/both", rate] = max(sign_flip_test(*of_videos, group[face]) for group in own)
    p_values["fake", "fnr"] = p_values["both", "fnr"]
    for setup in ("both", "fake"):
        clean, attacked = ([setup_scores(table, name, "logit") for table in tables] for name in ("clean", setup))
        p_values[setup, "auc"] = max(auc_test(clean, attacked, label, group) for group in clusters.groups())
    return turned, p_values


def _turned(pairs: Sequence[Sequence[Array]], label: Index) -> tuple[Index, Index]:
    """For each face (or video) how many decisions turned wrong, and how many right, over pairs of clean and attacked."""
    right = np.array([[(scores > THRESHOLD) == label for scores in pair] for pair in pairs])
    clean, attacked = right[:, 0], right[:, 1]
    return (clean & ~attacked).sum(axis=0), (~clean & attacked).sum(axis=0)


def sign_flip_test(worsened: npt.ArrayLike, improved: npt.ArrayLike, groups: npt.ArrayLike) -> float:
    """Exact two-sided randomisation test of the change of decisions, a cluster as the unit."""
    group = np.asarray(groups, dtype=np.intp)
    surplus = np.asarray(worsened, dtype=np.int64) - np.asarray(improved, dtype=np.int64)
    if not (group >= 0).any():
        return float("nan")
    totals = np.bincount(group[group >= 0], surplus[group >= 0]).astype(np.int64)
    sizes, counts = np.unique(np.abs(totals[totals != 0]), return_counts=True)
    # The distribution of the sum over the clusters that are given a plus: one convolution for each size of surplus.
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        spread = np.zeros(size * count + 1)
        spread[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, spread)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(int(totals.sum()))].sum()))


def auc_test(
    clean: npt.ArrayLike,
    attacked: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    swaps: int = SWAPS,
    seed: int = 0,
) -> float:
    """Randomisation test of the change of the AUC: clean and attacked are swapped for random clusters."""
    label, group = np.asarray(labels), np.asarray(groups, dtype=np.intp) + 1  # group 0 is never swapped
    if len(np.unique(label)) < 2:
        return float("nan")
    random = np.random.default_rng(seed)
    if group.max() >= MOST_GROUPS:  # swapped together, clusters are exchangeable still, and fewer
        group = (random.permutation(group.max() + 1) % MOST_GROUPS)[group]
    before, after = (np.atleast_2d(np.asarray(logits, dtype=np.float64)) for logits in (clean, attacked))
    pairs = zip(before, after, strict=True)
    wins = np.sum([_wins(np.stack(pair), label, group) for pair in pairs], axis=0)
    observed = _change(wins, np.ones((1, group.max() + 1)))[0]
    extreme = 0
    for start in range(0, swaps, _SWAPS_AT_ONCE):
        count = min(_SWAPS_AT_ONCE, swaps - start)
        kept = random.integers(2, size=(count, group.max() + 1)).astype(np.float64)
        kept[:, 0] = 1
        extreme += int((np.abs(_change(wins, kept)) >= abs(observed)).sum())  # whole numbers: exact
    return (1 + extreme) / (1 + swaps)


def _wins(logits: Array, label: npt.NDArray[np.generic], group: Index) -> Array:
    """Entry [a, b, c, d]: twice the wins of the fakes of cluster c in version a over the pristine faces of d in b."""
    size = int(group.max()) + 1
    wins = np.zeros((2, 2, size, size))
    pristine = np.flatnonzero(label == 0)
    for a in (0, 1):
        for b in (0, 1):
            order = pristine[np.argsort(logits[b, pristine], kind="stable")]
            for c in np.unique(group[label == 1]):
                fakes = np.sort(logits[a, (label == 1) & (group == c)])
                won = len(fakes) - np.searchsorted(fakes, logits[b, order], side="right")
                tied = len(fakes) - np.searchsorted(fakes, logits[b, order], side="left") - won
                wins[a, b, c] = np.bincount(group[order], 2 * won + tied, minlength=size)
    return wins


def _change(wins: Array, kept: Array) -> Array:
    """Attacked less clean for R choices of the clusters that are not swapped (R×C of 1 and 0), in the units of `_wins`."""
    versions = np.stack([1 - kept, kept])  # weight of a cluster's clean and attacked faces on the attacked side
    attacked, clean = (
        np.einsum("arc,abcd,brd->r", side, wins, side, optimize=True) for side in (versions, versions[::-1])
    )
    return np.asarray(attacked - clean)


def holm(p_values: npt.ArrayLike) -> Array:
    """Correct p-values for their number, by Holm's step-down method; NaN are no tests, and stay."""
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    if not ((values[tested] >= 0) & (values[tested] <= 1)).all():
        raise ValueError("p-values must be in [0, 1]")
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1)
    return adjusted
