import numpy as np
import pytest
from scipy import stats

from sr_deepfake.metrics.setups import clopper_pearson_bound, interval_at_limit, percentile_interval


def test_an_interval_ignores_undefined_resamples():
    assert percentile_interval(np.array([np.nan, *range(1001)])) == pytest.approx((25, 975))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


@pytest.mark.parametrize("trials", [1, 12, 24, 140])
def test_no_error_in_few_trials_has_the_exact_interval_of_scipy(trials):
    exact = stats.binomtest(0, trials).proportion_ci(0.95, method="exact")
    assert (0.0, clopper_pearson_bound(trials)) == pytest.approx((exact.low, exact.high))
    assert interval_at_limit(0, trials) == pytest.approx((exact.low, exact.high))
    assert interval_at_limit(1, trials) == pytest.approx((1 - exact.high, 1))
