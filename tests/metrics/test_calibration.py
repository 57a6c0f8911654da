import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_curve

from sr_deepfake.metrics.calibration import (
    attack_success,
    calibration_metrics,
    rates_at,
    reliability,
    threshold_of,
)

# Coarse scores, so that there are ties.
faces = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=4, max_size=60).map(
    lambda rows: (np.array([score / 20 for score, _ in rows]), np.array([int(fake) for _, fake in rows]))
)
both = faces.filter(lambda found: 0 < found[1].sum() < len(found[1]))


@given(both, st.sampled_from([("tpr_at_1", 0.01), ("tpr_at_5", 0.05)]))
def test_tpr_at_a_low_fpr_is_scikit_learns(found, name):
    scores, labels = found
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    key, allowed = name
    assert calibration_metrics(scores, labels)[key] == pytest.approx(tpr[fpr <= allowed].max())


@given(faces)
def test_brier_is_scikit_learns_and_ece_a_loops(found):
    scores, labels = found
    metrics = calibration_metrics(scores + 1e-9 * (scores < 1), labels)  # off the edges of the bins
    assert metrics["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-7)
    total = 0.0
    for low in range(15):
        inside = (scores * 15 + 1e-8).astype(int).clip(max=14) == low
        if inside.any():
            total += inside.sum() * abs(scores[inside].mean() - labels[inside].mean())
    assert metrics["ece"] == pytest.approx(total / len(scores), abs=1e-5)


def test_the_reliability_diagram_is_scikit_learns():
    random = np.random.default_rng(0)
    scores = random.random(500)
    labels = (random.random(500) < scores).astype(int)
    mean, share, count = reliability(scores, labels)
    expected_share, expected_mean = calibration_curve(labels, scores, n_bins=15)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(share, expected_share)
    assert count.sum() == 500


@given(both, st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5]))
def test_the_threshold_of_a_wished_fpr_keeps_it_and_no_smaller_one_does(found, wished):
    scores, labels = found
    threshold = threshold_of(pd.DataFrame({"label": labels, "score": scores}), wished)
    assert (scores[labels == 0] > threshold).mean() <= wished
    smaller = [value for value in [-1.0, *scores] if value < threshold and not np.isclose(value, threshold)]
    below = max(smaller)
    # At any smaller threshold the faces that score at `below` or up to here are called fake as well.
    if below > 0 or (scores == 0).any():
        assert (
            below < 0
            or (scores[labels == 0] >= below).mean() > wished
            or not ((labels == 0) & (scores >= below) & (scores < threshold)).any()
        )


@given(both)
def test_the_threshold_of_the_equal_error_has_the_smallest_difference_that_scikit_learns_curve_has(found):
    scores, labels = found
    threshold = threshold_of(pd.DataFrame({"label": labels, "score": scores}))
    rates = rates_at(scores, labels, threshold)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert abs(rates["fnr"] - rates["fpr"]) == pytest.approx(np.abs(1 - tpr - fpr).min())


def test_without_both_classes_there_is_no_threshold_and_what_follows_is_undefined():
    one = pd.DataFrame({"label": [1, 1], "score": [0.2, 0.4]})
    for validation in (None, one, one.iloc[:0]):
        assert math.isnan(threshold_of(validation))
    assert all(map(math.isnan, rates_at([0.2], [1], math.nan).values()))
    metrics = calibration_metrics(one["score"], one["label"])
    assert math.isnan(metrics["tpr_at_1"])
    assert metrics["brier"] == pytest.approx((0.64 + 0.36) / 2)


def test_attack_success_counts_what_was_found_before():
    table = pd.DataFrame(
        {
            "label": [1, 1, 1, 1, 0],
            "score": [0.9, 0.8, 0.7, 0.5, 0.9],
            "score_attacked": [0.5, 0.51, 0.1, 0.1, 0.1],
        }
    )
    assert attack_success(table) == pytest.approx(2 / 3)
    assert math.isnan(attack_success(table.iloc[3:]))
