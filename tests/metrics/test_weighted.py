import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.weighted import rank, weighted_metrics


def reference(scores, labels, weights):
    """scikit-learn's numbers for one weighting; EER of the table in which each face stands `weight` times."""
    guesses, w = scores > 0.5, {"sample_weight": weights}
    recall = sk.recall_score(labels, guesses, **w)
    copies = weights.astype(int)
    return {
        "fnr": 1 - recall,
        "fpr": 1 - sk.recall_score(labels, guesses, pos_label=0, **w),
        "recall": recall,
        "precision": sk.precision_score(labels, guesses, zero_division=np.nan, **w),
        "auc": sk.roc_auc_score(labels, scores, **w),
        "accuracy": sk.accuracy_score(labels, guesses, **w),
        "eer": classification_metrics(scores.repeat(copies), labels.repeat(copies))["eer"],
        "ap": sk.average_precision_score(labels, scores, **w),
    }


def assert_agrees(scores, labels, weights):
    ours = weighted_metrics(rank(scores, labels), weights)
    for row, weighting in enumerate(weights):
        theirs = reference(scores, labels, weighting)
        assert list(ours) == list(theirs)
        np.testing.assert_allclose(
            [ours[name][row] for name in theirs], list(theirs.values()), rtol=0, atol=1e-12, err_msg=str(row)
        )


@pytest.mark.parametrize("decimals", [1, 2, 15])  # many ties, some, none
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn_with_weights(seed, decimals):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 150)
    scores = np.clip(0.2 * labels + random.random(150), 0, 1).round(decimals)
    assert_agrees(scores, labels, random.integers(0, 4, (20, 150)).astype(float))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.integers(0, 1), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_faces_of_no_weight_are_as_if_they_were_not_there(faces):
    kept = [(0.25, 1, 1), (0.75, 0, 1), *faces]  # both classes have weight
    scores, labels, weights = (np.array(column) for column in zip(*kept, strict=True))
    assert_agrees(scores, labels, weights[None].astype(float))


def test_equal_weights_give_the_metrics_themselves():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 501)
    scores = random.random(501).round(2)
    ours = weighted_metrics(rank(scores, labels), np.ones((1, 501)))
    assert {name: float(values[0]) for name, values in ours.items()} == pytest.approx(
        classification_metrics(scores, labels), abs=1e-12
    )


def test_faces_of_a_unit_share_its_weight():
    random = np.random.default_rng(0)
    labels, scores, units = np.repeat([0, 1], 30), random.random(60), np.arange(60) // 5
    weights = random.integers(0, 3, (7, 12)).astype(float)
    by_unit = weighted_metrics(rank(scores, labels, units), weights)
    by_face = weighted_metrics(rank(scores, labels), weights[:, units])
    for name, values in by_unit.items():
        np.testing.assert_array_equal(values, by_face[name])


@pytest.mark.parametrize("label", [0, 1])
def test_what_is_undefined_is_nan_as_in_the_metrics(label):
    scores, labels = np.array([0.2, 0.9, 0.4]), np.array([label] * 3)
    expected = classification_metrics(scores, labels)
    absent = weighted_metrics(rank(scores, labels), np.ones((2, 3)))
    # The other class is there, but no resample counts it.
    unweighted = weighted_metrics(
        rank(np.append(scores, 0.5), np.append(labels, 1 - label)), np.array([[1.0, 1, 1, 0]])
    )
    for name, value in expected.items():
        np.testing.assert_array_equal(absent[name], [value] * 2, err_msg=name)
        np.testing.assert_array_equal(unweighted[name], [value], err_msg=name)


def test_no_face_called_fake_leaves_the_precision_undefined():
    metrics = weighted_metrics(rank([0.9, 0.3, 0.2], [1, 1, 0]), np.array([[0.0, 1, 1], [1, 1, 1]]))
    np.testing.assert_array_equal(metrics["precision"], [np.nan, 1])


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="2 scores, 1 labels and 2 units"):
        rank([0.1, 0.2], [1])
