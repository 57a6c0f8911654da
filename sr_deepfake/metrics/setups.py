"""Every figure of a run (model × forgery × attack), with its interval: the one place where figures come from."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from sr_deepfake.metrics.changes import change_tests
from sr_deepfake.metrics.classification import THRESHOLD, Array, rank, weighted_metrics, weighted_rates
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.correlation import Correlation, pearson, spearman
from sr_deepfake.metrics.figures import Bootstrap, Counts, Figure, Metrics, Threshold
from sr_deepfake.metrics.predictions import SETUPS, SIMILARITY, checked, is_attacked, setup_scores, videos_of

CLASSES = {"pristine": 0, "fake": 1}
MEASURES = ("ssim", "psnr", "ssim_224")  # correlated with the change of the score
RESAMPLES = 2_000
LEVEL = 0.95  # of the intervals
LARGEST = 1e6  # size of a logit that counts in the mean of a video's
SEED = 0
# The faces that a figure depends on; all others depend on both classes.
_OF_ONE_CLASS = {"fnr": 1, "recall": 1, "fpr": 0}

Key = tuple[str, str]  # setup and metric
Compute = Callable[[Array], dict[Key, Array]]  # R×U weights → values


def run_metrics(
    predictions: pd.DataFrame | Sequence[pd.DataFrame],
    threshold: Threshold | Sequence[Threshold] = (),
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Metrics:
    """Compute every figure of a run, with intervals over clusters.

    Args:
        predictions: the table of predictions; several are of the same faces and of detectors that differ by the seed of
            their training. Figures are then means over them, intervals are over seeds and clusters (a hierarchical
            bootstrap), tests are over all of them.
        threshold: chosen for each table, see `choose_threshold`; none: only 0.5.
        resamples: how many times clusters are drawn.
        seed: of the draws.

    Returns:
        The figures, see `Metrics`. A figure without an interval depends on a class of one cluster. A rate of exactly 0 or 1
        has the exact interval for the effective number of clusters, a change of exactly nothing likewise.

    Raises:
        ValueError: no faces, a table that does not fit the schema, or tables of different faces.
    """
    tables = [checked(table) for table in ([predictions] if isinstance(predictions, pd.DataFrame) else predictions)]
    if any(not table["face_id"].equals(tables[0]["face_id"]) for table in tables):
        raise ValueError("predictions of several seeds must be of the same faces in the same order")
    chosen = [threshold] if isinstance(threshold, Threshold) else list(threshold)
    chosen = chosen or [Threshold() for _ in tables]
    table, clusters = tables[0], Clusters.of(tables[0])
    computes = [_figures(each, clusters, t.value) for each, t in zip(tables, chosen, strict=True)]
    equal = np.full(len(tables), 1 / len(tables))
    parts = [_mean([compute(np.ones((1, int(clusters.units.max()) + 1))) for compute in computes], equal[None])]
    seeds = np.random.default_rng(seed)
    for weights in clusters.draw(resamples, seed):
        shares = seeds.multinomial(len(tables), equal, size=len(weights)) / len(tables)
        parts.append(_mean([compute(weights) for compute in computes], shares))
    found = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    turned, p_values = change_tests(tables, clusters) if is_attacked(table) else ({}, {})
    figures: dict[str, dict[str, Figure]] = {}
    for setup, metric in found:
        figures.setdefault(setup, {})[metric] = _figure((setup, metric), found, table, clusters, p_values)
    label = table["label"].to_numpy()
    return Metrics(
        counts=Counts(
            faces=len(table),
            pristine=int((label == 0).sum()),
            fake=int((label == 1).sum()),
            videos=len(videos_of(table).labels),
            clusters=clusters.count(label >= 0),
            clusters_pristine=clusters.count(label == 0),
            clusters_fake=clusters.count(label == 1),
        ),
        bootstrap=Bootstrap(resamples=resamples, level=LEVEL, seed=seed, unit=clusters.way, seeds=len(tables)),
        threshold=chosen[0]
        if len({each.value for each in chosen}) == 1
        else Threshold(rule=f"{chosen[0].rule}, of each seed"),
        turned=turned,
        figures=figures,
    )


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


def _figures(table: pd.DataFrame, clusters: Clusters, threshold: float | None) -> Compute:
    """What computes all figures of a table from weights of its units."""
    label, videos = table["label"].to_numpy(), videos_of(table)
    attacked = is_attacked(table)
    video_units = np.zeros(len(videos.labels), dtype=np.intp)
    video_units[videos.units] = clusters.units
    rankings, at_threshold = {}, {}
    for setup in SETUPS if attacked else SETUPS[:1]:
        score, logit = (setup_scores(table, setup, column).to_numpy() for column in ("score", "logit"))
        rankings[setup] = rank(score, label, clusters.units, logit)
        # A logit may be infinite, where a detector returns a probability of exactly 0 or 1.
        means, logits = videos.means(score).clip(0, 1), videos.means(logit.clip(-LARGEST, LARGEST))
        rankings[f"video/{setup}"] = rank(means, videos.labels, video_units, logits)
        if threshold is not None:
            at_threshold[f"threshold/{setup}"] = rank(score, label, clusters.units, logit, threshold)
    ratios, correlations = (_ratios(table), _correlations(table)) if attacked else ({}, {})
    sums = {key: np.stack([np.bincount(clusters.units, part) for part in pair], axis=1) for key, pair in ratios.items()}

    def compute(weights: Array) -> dict[Key, Array]:
        found = {
            (setup, metric): values
            for setup, ranking in rankings.items()
            for metric, values in weighted_metrics(ranking, weights).items()
        }
        for setup, ranking in at_threshold.items():
            found |= {(setup, metric): values for metric, values in weighted_rates(ranking, weights).items()}
        with np.errstate(invalid="ignore"):
            for key, pair in sums.items():
                total, count = np.einsum("ru,um->mr", weights, pair)
                found[key] = total / count
        faces = weights.take(clusters.units, axis=1) if correlations else weights
        return found | {key: correlate(faces) for key, correlate in correlations.items()}

    return compute


def _ratios(table: pd.DataFrame) -> dict[Key, tuple[npt.ArrayLike, npt.ArrayLike]]:
    """Figures that are a sum over faces by another: each face's part of both."""
    label = table["label"].to_numpy()
    clean, attacked = ((table[name] > THRESHOLD).to_numpy() for name in ("score", "score_attacked"))
    found_clean = (label == 1) & clean
    ratios: dict[Key, tuple[npt.ArrayLike, npt.ArrayLike]] = {
        ("both", "attack_success"): (found_clean & ~attacked, found_clean)
    }
    for name, value in CLASSES.items():
        for measure in SIMILARITY:
            values = table[measure].to_numpy()
            counted = (label == value) & np.isfinite(values)
            ratios[f"similarity/{name}", measure] = (np.where(counted, values, 0), counted)
        identical = np.isinf(table["psnr"].to_numpy())
        ratios[f"similarity/{name}", "identical"] = ((label == value) & identical, label == value)
    return ratios


def _correlations(table: pd.DataFrame) -> dict[Key, Correlation]:
    change = (table["score_attacked"] - table["score"]).to_numpy()
    return {
        ("correlation", f"{measure}_{correlate.__name__}"): correlate(table[measure].to_numpy(), change)
        for measure in MEASURES
        if table[measure].notna().any()
        for correlate in (pearson, spearman)
    }


def _mean(found: Sequence[dict[Key, Array]], shares: Array) -> dict[Key, Array]:
    """The mean over seeds, of which each resample drew some (R×S shares)."""
    if len(found) == 1:
        return found[0]
    # A seed that was not drawn must not make a resample undefined.
    return {
        key: sum(np.where(shares[:, s] > 0, shares[:, s] * each[key], 0.0) for s, each in enumerate(found))  # type: ignore[misc]
        for key in found[0]
    }


def _figure(
    key: Key, found: dict[Key, Array], table: pd.DataFrame, clusters: Clusters, p_values: dict[Key, float]
) -> Figure:
    """A figure from its value, which comes first, and its resampled values."""
    setup, metric = key
    value, resampled = float(found[key][0]), found[key][1:]
    counted = [faces for faces in _counted(setup, metric, table) if faces.any()]
    single = any(clusters.count(faces) == 1 for faces in counted)
    size = min((clusters.size(faces) for faces in counted), default=0.0)
    low = high = change = change_low = change_high = float("nan")
    is_rate = not setup.startswith(("similarity", "correlation")) or metric == "identical"
    if is_rate and (value <= 1e-9 or value >= 1 - 1e-9):  # a mean over seeds rounds
        value = float(round(value))
    if is_rate and value in (0, 1):
        low, high = interval_at_limit(value, size) if size and not single else (low, high)
    elif not single:
        low, high = percentile_interval(resampled)
    if is_rate and high == high:
        low, high = max(low, 0.0), min(high, 1.0)
    *prefix, name = setup.split("/")
    clean_key = "/".join([*prefix, "clean"]), metric
    untouched = name == "fake" and metric == "fpr"  # pristine faces are not attacked there
    if name in ("both", "fake") and is_rate and clean_key in found and not untouched:
        clean = float(found[clean_key][0])
        change = value - clean
        if not single and change == change:
            change_low, change_high = percentile_interval(resampled - found[clean_key][1:])
            if change_low == change_high:  # no face of any cluster changed
                bound = clopper_pearson_bound(size)
                change_low, change_high = max(change - bound, 0.0 - clean), min(change + bound, 1.0 - clean)
    changes = {"change": change, "change_low": change_low, "change_high": change_high}
    return Figure(value=value, low=low, high=high, **changes, p=p_values.get(key))


def _counted(setup: str, metric: str, table: pd.DataFrame) -> list[npt.NDArray[np.bool_]]:
    """The faces that a figure counts; of one that depends on both classes, those of each."""
    label = table["label"].to_numpy()
    if setup.startswith("similarity/"):
        return [label == CLASSES[setup.removeprefix("similarity/")]]
    if metric == "attack_success":
        return [(label == 1) & (table["score"] > THRESHOLD).to_numpy()]
    if metric == "precision" and setup in SETUPS:
        return [(setup_scores(table, setup) > THRESHOLD).to_numpy(), label == 0, label == 1]
    return [label == _OF_ONE_CLASS[metric]] if metric in _OF_ONE_CLASS else [label == 0, label == 1]
