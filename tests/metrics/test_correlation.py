import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sr_deepfake.metrics.correlation import (
    changes,
    correlate,
    correlations,
    pearson_moments,
    weighted_pearson,
)
from sr_deepfake.metrics.predictions import videos_of


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], 40)
    ssim = random.uniform(0.9, 1, 80)
    score = random.random(80)
    return pd.DataFrame(
        {
            "video_id": [f"{one}/{number % 8}" for number, one in enumerate(label)],
            "label": label,
            "score": score,
            "score_attacked": np.clip(score + 4 * (1 - ssim) * random.normal(size=80), 0, 1),
            "ssim": ssim,
            "psnr": 30 + 100 * (ssim - 0.9) + random.normal(0, 2, 80),
            "ssim_224": 1 - (1 - ssim) * random.uniform(0.5, 1, 80),
            "psnr_224_wrapped": random.uniform(30, 45, 80),
        }
    )


def test_each_correlation_is_scipy_s(table):
    found = correlations(table)
    for name, rows in (("pristine", table[:40]), ("fake", table[40:]), ("pooled", table)):
        score = rows["score_attacked"] - rows["score"]
        error = (rows["score_attacked"] - rows["label"]).abs() - (rows["score"] - rows["label"]).abs()
        for measure in ("ssim", "psnr", "ssim_224", "psnr_224_wrapped"):
            for change, values in (("score", score), ("absolute_error", error)):
                linear, ranked = stats.pearsonr(rows[measure], values), stats.spearmanr(rows[measure], values)
                assert found[name][measure][change] == pytest.approx(
                    {
                        "faces": len(rows),
                        "infinite": 0,
                        "pearson": linear.statistic,
                        "pearson_p": linear.pvalue,
                        "spearman": ranked.statistic,
                        "spearman_p": ranked.pvalue,
                    },
                    abs=1e-9,
                )


def test_for_a_fake_the_error_moves_against_the_score(table):
    moved = changes(table)
    np.testing.assert_allclose(moved["absolute_error"][:40], moved["score"][:40], atol=1e-15)
    np.testing.assert_allclose(moved["absolute_error"][40:], -moved["score"][40:], atol=1e-15)


def test_identical_faces_are_ranked_highest_and_left_out_of_pearson(table):
    table.loc[[0, 1, 50], "psnr"] = np.inf
    found = correlations(table)["pooled"]["psnr"]["score"]
    finite = table.drop(index=[0, 1, 50])
    moved = (finite["score_attacked"] - finite["score"]).to_numpy()
    assert found["infinite"] == 3
    assert found["pearson"] == pytest.approx(stats.pearsonr(finite["psnr"], moved).statistic)
    high = table["psnr"].replace(np.inf, 1000.0)
    expected = stats.spearmanr(high, table["score_attacked"] - table["score"])
    assert (found["spearman"], found["spearman_p"]) == pytest.approx(
        (expected.statistic, expected.pvalue), rel=1e-9
    )


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        ([0.9, 0.8], [0.1, 0.2]),
        ([], []),
        ([0.9, 0.9, 0.9], [0.1, 0.2, 0.3]),
        ([1 - 1e-16, 1.0, 1 - 2e-16], [0.1, 0.2, 0.3]),
        ([0.7, 0.8, 0.9], [0.0, 0.0, 0.0]),
        ([np.inf] * 4, [0.1, 0.2, 0.3, 0.4]),
    ],
    ids=["two faces", "none", "one SSIM", "one SSIM but for rounding", "no change", "identical faces only"],
)
def test_what_does_not_vary_has_no_correlation_and_no_warning(measure, change):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = correlate(np.array(measure, dtype=float), np.array(change, dtype=float))
    assert np.isnan([found[name] for name in ("pearson", "pearson_p", "spearman", "spearman_p")]).all()


def test_pearson_of_resamples_is_that_of_repeated_faces(table):
    table.loc[[3, 60], "psnr"] = np.inf
    videos = videos_of(table)
    moved = changes(table)["score"]
    chosen = (table["label"] == 1).to_numpy()
    weights = np.random.default_rng(1).integers(0, 3, (20, len(videos.labels))).astype(float)
    ours = weighted_pearson(pearson_moments(table["psnr"].to_numpy(), moved, chosen, videos), weights)
    for weighting, value in zip(weights, ours, strict=True):
        copies = (weighting[videos.units] * (chosen & np.isfinite(table["psnr"]))).astype(int)
        expected = stats.pearsonr(table["psnr"].repeat(copies), moved.repeat(copies)).statistic
        assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", [[0.97] * 4, [np.inf] * 4, [0.8, 0.9, np.inf, np.inf]])
def test_resamples_that_do_not_vary_have_no_correlation(measure):
    videos = videos_of(pd.DataFrame({"video_id": list("abcd"), "label": 1}))
    moments = pearson_moments(
        np.array(measure), np.array([0.1, 0.2, 0.3, 0.4]), np.ones(4, dtype=bool), videos
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(weighted_pearson(moments, np.ones((2, 4)))).all()
