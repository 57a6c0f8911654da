import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from sr_deepfake.metrics import changes
from sr_deepfake.metrics.changes import auc_test, holm, sign_flip_test


@pytest.mark.parametrize(("worsened", "improved"), itertools.product([0, 1, 5, 17, 140], repeat=2))
def test_with_one_face_a_cluster_it_is_mcnemars_exact_test(worsened, improved):
    faces = np.repeat([[1, 0], [0, 1], [0, 0]], (worsened, improved, 5), axis=0)
    expected = mcnemar([[3, worsened], [improved, 4]], exact=True).pvalue if worsened + improved else 1.0
    p = sign_flip_test(faces[:, 0], faces[:, 1], np.arange(len(faces)))
    assert p == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(-1, 8)), max_size=20))
def test_it_is_the_share_of_all_choices_of_signs_of_whole_clusters(faces):
    """Faces of −1 are of no cluster."""
    worsened, improved, groups = (np.array(column) for column in zip((0, 1, 0), *faces, strict=True))
    surplus = np.array([(worsened - improved)[groups == group].sum() for group in range(groups.max() + 1)])
    signs = np.array(list(itertools.product([-1, 1], repeat=len(surplus))))
    share = np.mean(np.abs(signs @ surplus) >= abs(surplus.sum()))
    assert sign_flip_test(worsened, improved, groups) == pytest.approx(share, abs=1e-12)


def test_faces_of_no_cluster_of_one_cluster_or_of_one_class_are_not_tested():
    assert np.isnan(sign_flip_test([1], [0], [-1]))
    assert np.isnan(auc_test([1, 2], [2, 3], [1, 1], [0, 1]))
    assert auc_test([4, 3, 2, 1], [1, 2, 3, 4], [1, 1, 0, 0], [0, 0, 0, 0]) == 1.0  # one cluster


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_test_of_the_auc_is_all_swaps_of_clean_and_attacked(seeds):
    random = np.random.default_rng(seeds)
    label, group = np.repeat([0, 1], 20), np.tile(np.arange(5), 8)
    clean = random.normal(label, 1, (seeds, 40)).round(1)  # with ties
    attacked = (clean - 0.4 * label + random.normal(0, 0.3, (seeds, 40))).round(1)

    def change(swapped):
        inside = np.isin(group, np.flatnonzero(swapped))
        before, after = np.where(inside, attacked, clean), np.where(inside, clean, attacked)
        pairs = zip(before, after, strict=True)
        return sum(roc_auc_score(label, b) - roc_auc_score(label, a) for b, a in pairs)

    every = [abs(change(swapped)) for swapped in itertools.product([0, 1], repeat=5)]
    expected = np.mean(np.array(every) >= abs(change([0] * 5)) - 1e-9)
    assert auc_test(clean, attacked, label, group, swaps=19_999) == pytest.approx(expected, abs=0.015)


@settings(max_examples=8)  # statsmodels takes a while
@given(st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.01, 0.04, 1.0])), min_size=1, max_size=40))
def test_holm_agrees_with_statsmodels(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-9, atol=1e-300)


def test_holm_does_not_count_what_was_not_tested():
    np.testing.assert_allclose(holm([0.01, None, 0.04, float("nan"), 0.03]), [0.03, np.nan, 0.06, np.nan, 0.06])
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        holm([0.5, 1.1])


def test_many_clusters_are_swapped_in_groups_and_the_test_stays_valid(monkeypatch):
    """Memory grows with the square of what is swapped; under no effect p-values are spread evenly."""
    monkeypatch.setattr(changes, "MOST_GROUPS", 100)
    random = np.random.default_rng(0)
    count = 240
    label, group = np.arange(count) % 2, np.arange(count)
    found = []
    for seed in range(60):
        face = random.normal(label, 1)
        clean, attacked = (face + random.normal(0, 0.5, count) for _ in range(2))
        found.append(auc_test(clean, attacked, label, group, swaps=199, seed=seed))
    assert 0 <= sum(value <= 0.1 for value in found) <= 14
    shifted = auc_test(clean, np.where(label == 1, clean - 1, clean), label, group, swaps=199)
    assert shifted == 1 / 200
