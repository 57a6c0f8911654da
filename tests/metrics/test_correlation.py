import warnings

import numpy as np
import pytest
from scipy import stats

from sr_deepfake.metrics.correlation import pearson, spearman


@pytest.fixture
def faces():
    random = np.random.default_rng(0)
    ssim = random.uniform(0.9, 1, 60).round(3)  # with ties
    return ssim, (4 * (1 - ssim) * random.normal(size=60)).round(2)


@pytest.mark.parametrize(("ours", "theirs"), [(pearson, stats.pearsonr), (spearman, stats.spearmanr)])
def test_weighted_correlations_are_scipys_of_repeated_faces(faces, ours, theirs):
    x, y = faces
    weights = np.concatenate([np.ones((1, 60)), np.random.default_rng(1).integers(0, 3, (20, 60))]).astype(float)
    found = ours(x, y)(weights)
    for copies, value in zip(weights.astype(int), found, strict=True):
        assert value == pytest.approx(theirs(x.repeat(copies), y.repeat(copies)).statistic, abs=1e-9)


def test_identical_faces_are_ranked_highest_and_left_out_of_pearson(faces):
    psnr, change = 30 + 100 * (faces[0] - 0.9), faces[1]
    psnr[[0, 1, 50]] = np.inf
    kept = np.isfinite(psnr)
    high = np.where(kept, psnr, 1000.0)
    unknown = np.where(np.arange(60) < 5, np.nan, psnr)
    for found, expected in (
        (pearson(psnr, change), stats.pearsonr(psnr[kept], change[kept])),
        (spearman(psnr, change), stats.spearmanr(high, change)),
        (spearman(unknown, change), stats.spearmanr(high[5:], change[5:])),
    ):
        assert found(np.ones((1, 60))) == pytest.approx(expected.statistic)


@pytest.mark.parametrize(
    ("measure", "change"),
    [
        ([0.9, 0.8], [0.1, 0.2]),
        ([0.9, 0.9, 0.9], [0.1, 0.2, 0.3]),
        ([1 - 1e-16, 1.0, 1 - 2e-16], [0.1, 0.2, 0.3]),
        ([0.7, 0.8, 0.9], [0.0, 0.0, 0.0]),
        ([np.inf] * 4, [0.1, 0.2, 0.3, 0.4]),
    ],
    ids=["two faces", "one SSIM", "one SSIM but for rounding", "no change", "identical faces only"],
)
def test_what_does_not_vary_has_no_correlation_and_no_warning(measure, change):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for correlate in (pearson, spearman):
            found = correlate(np.array(measure, dtype=float), np.array(change))(np.ones((2, len(measure))))
            assert np.isnan(found).all()
