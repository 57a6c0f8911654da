from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sr_deepfake.metrics.functional import (
    area_under_roc,
    average_precision,
    classification_metrics,
    confusion_counts,
    equal_error_rate,
)

TOLERANCE = 1e-9


def loop_equal_error_rate(scores, labels):
    """The crossing of FNR = FPR with the straight lines between operating points, in exact fractions."""
    fakes = [score for score, label in zip(scores, labels, strict=True) if label == 1]
    pristine = [score for score, label in zip(scores, labels, strict=True) if label == 0]
    before = (Fraction(1), Fraction(0))  # nothing is called fake
    for threshold in sorted({*fakes, *pristine}, reverse=True):
        missed = Fraction(sum(score < threshold for score in fakes), len(fakes))
        accused = Fraction(sum(score >= threshold for score in pristine), len(pristine))
        if missed == accused:
            return float(missed)
        if missed < accused:
            (x0, y0), (x1, y1) = before[::-1], (accused, missed)
            # x = y on the line through both points
            return float((x0 * y1 - y0 * x1) / ((x0 - x1) - (y0 - y1)))
        before = (missed, accused)
    raise AssertionError("the last point has FNR 0 and FPR 1")


def reference(scores, labels):
    """scikit-learn's numbers, NaN where it calls them undefined."""
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    guesses = scores > 0.5
    both = 0 < labels.sum() < len(labels)
    recall = sk.recall_score(labels, guesses, zero_division=np.nan)
    return {
        "fnr": 1 - recall,
        "fpr": 1 - sk.recall_score(labels, guesses, pos_label=0, zero_division=np.nan),
        "recall": recall,
        "precision": sk.precision_score(labels, guesses, zero_division=np.nan),
        "auc": sk.roc_auc_score(labels, scores) if both else np.nan,
        "accuracy": sk.accuracy_score(labels, guesses),
        "eer": loop_equal_error_rate(scores, labels) if both else np.nan,
        "ap": sk.average_precision_score(labels, scores) if both else np.nan,
    }


def assert_agrees(scores, labels):
    ours, theirs = classification_metrics(scores, labels), reference(scores, labels)
    assert list(ours) == list(theirs)
    np.testing.assert_allclose(
        [ours[name] for name in ours], [theirs[name] for name in ours], rtol=0, atol=TOLERANCE, equal_nan=True
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 37, 5_003])
def test_agrees_with_scikit_learn_on_random_scores(seed, count):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    labels[:2] = (0, 1)
    assert_agrees(np.clip(0.2 * labels + random.random(count), 0, 1), labels)


def test_agrees_where_float32_would_round():
    random = np.random.default_rng(0)
    scores = 0.5 + 1e-12 * random.random(3_001)  # one number in float32
    assert_agrees(scores, random.integers(0, 2, 3_001))


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([0.1, 0.9, 0.4], [1, 1, 1]),
        ([0.1, 0.9, 0.4], [0, 0, 0]),
        ([0.5] * 6, [0, 1, 0, 1, 1, 1]),
        ([0.7] * 6, [0, 1, 0, 1, 1, 1]),
        ([0.0, 1.0, 0.0, 1.0], [0, 1, 1, 0]),
        ([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0]),
        ([0.9, 0.8, 0.1, 0.2], [0, 0, 1, 1]),
        ([0.3, 0.2], [1, 0]),
        ([0.5000000001], [1]),
        ([0.5], [0]),
    ],
    ids=["fakes only", "pristine only", "ties at the threshold", "ties above", "certain", "perfect", "reversed",
         "none called fake", "one face", "one face at the threshold"],
)  # fmt: skip
def test_agrees_with_scikit_learn_on_edge_cases(scores, labels):
    assert_agrees(scores, labels)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.5 + 2**-40, 0.75, 1.0]), st.integers(0, 1)), min_size=1
    )
)
def test_agrees_with_scikit_learn_on_many_ties(faces):
    scores, labels = zip(*faces, strict=True)
    assert_agrees(list(scores), list(labels))


def test_all_ties_give_an_auc_of_one_half():
    assert classification_metrics([0.3] * 10, [1, 0] * 5)["auc"] == 0.5


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0], 0.0),
        ([0.9, 0.8, 0.1, 0.2], [0, 0, 1, 1], 1.0),
        ([0.5] * 6, [0, 1, 0, 1, 1, 1], 0.5),
        ([0.9, 0.7, 0.5, 0.3, 0.8, 0.2, 0.1], [1, 1, 1, 1, 0, 0, 0], 1 / 3),  # crosses on a level stretch
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.25),  # crosses in the middle of a tie
    ],
)
def test_equal_error_rates_that_can_be_worked_out_by_hand(scores, labels, expected):
    assert classification_metrics(scores, labels)["eer"] == pytest.approx(expected, abs=1e-12)


def test_mirrored_scores_and_labels_have_the_same_equal_error_rate():
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 201), random.random(201).round(2)
    mirrored = classification_metrics(1 - scores, 1 - labels)["eer"]
    assert classification_metrics(scores, labels)["eer"] == pytest.approx(mirrored, abs=1e-12)


def test_a_score_at_the_threshold_is_not_fake():
    counts = confusion_counts(torch.tensor([0.5, 0.5]), torch.tensor([1, 0]))
    assert [int(count) for count in counts] == [0, 0, 1, 1]


def test_the_threshold_can_be_chosen():
    counts = confusion_counts(torch.tensor([0.5, 0.2, 0.4]), torch.tensor([1, 1, 0]), threshold=0.3)
    assert [int(count) for count in counts] == [1, 1, 0, 1]


def test_half_precision_scores_are_counted_as_they_are():
    scores = torch.tensor([0.75, 0.25], dtype=torch.bfloat16)
    assert [int(count) for count in confusion_counts(scores, torch.tensor([1, 1]))] == [1, 0, 0, 1]


def test_rates_of_an_absent_class_are_nan():
    assert np.isnan(classification_metrics([0.1], [0])["fnr"])
    assert np.isnan(classification_metrics([0.1], [1])["fpr"])
    for curve_metric in (area_under_roc, average_precision, equal_error_rate):
        assert curve_metric(torch.tensor([0.1]), torch.tensor([1])).isnan()
        assert curve_metric(torch.tensor([0.1]), torch.tensor([0])).isnan()


def test_columns_of_a_table_are_taken():
    table = pd.DataFrame({"score": [0.9, 0.2], "label": [1, 0]})
    assert classification_metrics(table["score"], table["label"])["auc"] == 1.0


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.5, 0.2], [1, 0], "in \\[0, 1\\]"),
        ([-0.1, 0.2], [1, 0], "in \\[0, 1\\]"),
        ([float("nan"), 0.2], [1, 0], "NaN"),
        ([0.1, 0.2], [1, 2], "labels are 1"),
        ([0.1, 0.2], [1], "2,.*1,"),
        ([], [], "no scores"),
    ],
)
def test_what_is_no_score_or_label_is_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(scores, labels)


def test_whole_numbers_are_no_probabilities():
    with pytest.raises(ValueError, match=r"torch\.int64"):
        confusion_counts(torch.tensor([1, 0]), torch.tensor([1, 0]))
