import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from sr_deepfake.metrics.significance import clustered_mcnemar, decision_changes, holm, mcnemar_exact


@pytest.mark.parametrize(("worse", "better"), itertools.product([0, 1, 2, 5, 17, 140], repeat=2))
def test_mcnemar_agrees_with_statsmodels(worse, better):
    expected = 1.0 if worse + better == 0 else mcnemar([[3, worse], [better, 4]], exact=True).pvalue
    assert mcnemar_exact(worse, better) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=9))
def test_clustered_mcnemar_is_all_choices_of_signs(videos):
    worse, better = (np.array(column) for column in zip(*videos, strict=True))
    surplus = worse - better
    signs = np.array(list(itertools.product([-1, 1], repeat=len(surplus))))
    share = np.mean(np.abs(signs @ surplus) >= abs(surplus.sum()))
    assert clustered_mcnemar(worse, better) == pytest.approx(share, abs=1e-12)


def test_clustered_mcnemar_agrees_with_scipy_s_permutation_test():
    random = np.random.default_rng(0)
    worse, better = random.integers(0, 6, 11), random.integers(0, 4, 11)
    expected = stats.permutation_test(
        (worse - better,), np.sum, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert clustered_mcnemar(worse, better) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("worse", "better"), [(0, 0), (9, 2), (3, 3), (0, 40)])
def test_with_one_face_a_video_both_tests_are_one(worse, better):
    sides = np.repeat([[1, 0], [0, 1], [0, 0]], (worse, better, 5), axis=0)
    assert clustered_mcnemar(sides[:, 0], sides[:, 1]) == pytest.approx(
        mcnemar_exact(worse, better), abs=1e-12
    )


def test_many_videos_of_many_sizes_are_near_the_normal_distribution():
    random = np.random.default_rng(0)
    worse, better = random.integers(0, 11, 400), random.integers(0, 11, 400)
    surplus = worse - better
    deviation = np.sqrt((surplus**2).sum())
    expected = 2 * stats.norm.sf((abs(surplus.sum()) - 1) / deviation)  # totals lie two apart
    assert 0.05 < expected < 0.95
    assert clustered_mcnemar(worse, better) == pytest.approx(expected, abs=0.002)


def test_under_no_effect_frames_reject_too_often_and_videos_do_not():
    """Frames of a video change together: 20 videos of 10 frames, each of which turns as a whole or not."""
    random = np.random.default_rng(0)
    frames = videos = 0
    for _ in range(400):
        turned = 10 * random.integers(-1, 2, 20)
        worse, better = np.maximum(turned, 0), np.maximum(-turned, 0)
        frames += mcnemar_exact(worse.sum(), better.sum()) < 0.05
        videos += clustered_mcnemar(worse, better) < 0.05
    assert frames / 400 > 0.3
    assert videos / 400 <= 0.05


@settings(max_examples=15, deadline=None)  # statsmodels takes a while
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.04, 1.0])), min_size=1, max_size=40))
def test_holm_agrees_with_statsmodels(p_values):
    np.testing.assert_allclose(
        holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-9, atol=1e-300
    )


def test_holm_does_not_count_what_was_not_tested():
    np.testing.assert_allclose(
        holm([0.01, None, 0.04, float("nan"), 0.03]), [0.03, np.nan, 0.06, np.nan, 0.06]
    )
    assert holm([]).tolist() == []


@pytest.mark.parametrize("value", [-0.1, 1.1, np.inf])
def test_holm_refuses_what_is_no_p_value(value):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        holm([0.5, value])


def test_changes_of_decisions_are_a_plain_loop():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], 60)
    table = pd.DataFrame(
        {
            "video_id": [f"{one}/{random.integers(12)}" for one in label],
            "label": label,
            "score": random.random(120).round(1),  # some at the threshold
            "score_attacked": random.random(120).round(1),
        }
    )
    tests = decision_changes(table)
    means = table.groupby(["video_id", "label"])[["score", "score_attacked"]].mean().reset_index()
    for rate, fake in (("fnr", True), ("fpr", False)):
        for level, rows in (("faces", table), ("videos", means)):
            worse, better = {}, {}
            for row in rows[rows["label"] == int(fake)].itertuples():
                before, after = (row.score > 0.5) == fake, (row.score_attacked > 0.5) == fake
                worse[row.video_id] = worse.get(row.video_id, 0) + (before and not after)
                better[row.video_id] = better.get(row.video_id, 0) + (after and not before)
            down, up = sum(worse.values()), sum(better.values())
            expected = {"right_to_wrong": down, "wrong_to_right": up, "p": mcnemar_exact(down, up)}
            if level == "faces":
                expected["p_clustered"] = clustered_mcnemar(list(worse.values()), list(better.values()))
            assert tests[rate][level] == pytest.approx(expected)


def test_a_class_without_faces_is_not_tested():
    table = pd.DataFrame({"video_id": ["a"], "label": [1], "score": [0.9], "score_attacked": [0.1]})
    tests = decision_changes(table)
    assert tests["fnr"]["faces"] == {"right_to_wrong": 1, "wrong_to_right": 0, "p": 1.0, "p_clustered": 1.0}
    assert np.isnan([tests["fpr"]["faces"]["p"], tests["fpr"]["faces"]["p_clustered"]]).all()
    assert np.isnan(tests["fpr"]["videos"]["p"])
