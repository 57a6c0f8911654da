import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from sr_deepfake.metrics.thresholds import choose_threshold

# Coarse scores, so that there are ties; both classes.
validation = (
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=4, max_size=60)
    .map(lambda rows: pd.DataFrame({"score": [score / 20 for score, _ in rows], "label": [label for _, label in rows]}))
    .filter(lambda table: table["label"].nunique() == 2)
)


def rates(table, threshold):
    called = table["score"] > threshold
    return (~called)[table["label"] == 1].mean(), called[table["label"] == 0].mean()


@given(validation, st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5]))
def test_a_requested_fpr_is_kept_and_no_smaller_threshold_keeps_it(table, requested):
    found = choose_threshold(table, requested)
    assert (found.rule, found.faces) == (f"FPR {requested:g}", len(table))
    assert rates(table, found.value)[1] <= requested
    smaller = [value for value in (-1.0, *(table["score"].unique() - 1e-6)) if value < found.value - 0.02]
    assert all(
        rates(table, value)[1] > requested or rates(table, value) == rates(table, found.value) for value in smaller
    )


@given(validation)
def test_the_equal_error_has_the_smallest_difference_on_scikit_learns_curve(table):
    fnr, fpr = rates(table, choose_threshold(table).value)
    theirs, tpr, _ = roc_curve(table["label"], table["score"], drop_intermediate=False)
    assert abs(fnr - fpr) == pytest.approx(np.abs(1 - tpr - theirs).min())


def test_a_threshold_lies_between_neighbouring_numbers_too():
    table = pd.DataFrame({"score": [0.5, np.nextafter(1.0, 0.0), 1.0, 1.0], "label": [0, 0, 1, 1]})
    assert rates(table, choose_threshold(table).value) == (0, 0)


def test_without_both_classes_there_is_none():
    one = pd.DataFrame({"label": [1, 1], "score": [0.2, 0.4]})
    for table in (None, one, one.iloc[:0]):
        assert choose_threshold(table).value is None
