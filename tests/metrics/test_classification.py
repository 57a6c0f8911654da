import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from sr_deepfake.metrics.classification import classification_metrics, rank, reliability, roc_curve, weighted_metrics


def reference(scores, labels):
    """scikit-learn's numbers, NaN where it calls them undefined."""
    scores, labels = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    guesses, both = scores > 0.5, 0 < labels.sum() < len(labels)
    recall, specificity = (sk.recall_score(labels, guesses, pos_label=own, zero_division=np.nan) for own in (1, 0))
    fpr, tpr, _ = sk.roc_curve(labels, scores, drop_intermediate=False) if both else np.zeros((3, 1))
    expected = {
        "fnr": 1 - recall,
        "fpr": 1 - specificity,
        "recall": recall,
        "precision": sk.precision_score(labels, guesses, zero_division=np.nan),
        "accuracy": sk.accuracy_score(labels, guesses),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, guesses) if both else np.nan,
        "auc": sk.roc_auc_score(labels, scores) if both else np.nan,
        "eer": np.interp(0, fpr - (1 - tpr), fpr),  # the crossing with the straight lines between operating points
        "ap": sk.average_precision_score(labels, scores) if both else np.nan,
        "tpr_at_1": tpr[fpr <= 0.01].max(),
        "tpr_at_5": tpr[fpr <= 0.05].max(),
        "ece": np.abs(np.histogram(scores, 15, (0, 1), weights=scores - labels)[0]).sum() / len(scores),
        "brier": np.mean((scores - labels) ** 2),
    }
    return expected if both else expected | dict.fromkeys(("eer", "tpr_at_1", "tpr_at_5"), np.nan)


def assert_agrees(scores, labels):
    ours, theirs = classification_metrics(scores, labels), reference(scores, labels)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-9, equal_nan=True, err_msg=name)


@pytest.mark.parametrize(("count", "width"), [(2, 1), (37, 1), (5_003, 1), (3_001, 1e-12)])
def test_agrees_with_scikit_learn_on_random_scores(count, width):
    """The last scores are one number in float32."""
    random = np.random.default_rng(count)
    labels = random.integers(0, 2, count)
    labels[:2] = (0, 1)
    assert_agrees(0.5 + width * (np.clip(0.2 * labels + random.random(count), 0, 1) - 0.5), labels)


@pytest.mark.parametrize(
    ("scores", "labels", "equal_error_rate"),
    [
        ([0.1, 0.9, 0.4], [1, 1, 1], np.nan),
        ([0.1, 0.9, 0.4], [0, 0, 0], np.nan),
        ([0.5] * 6, [0, 1, 0, 1, 1, 1], 0.5),
        ([0.7] * 6, [0, 1, 0, 1, 1, 1], 0.5),
        ([0.0, 1.0, 0.0, 1.0], [0, 1, 1, 0], 0.5),
        ([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0], 0.0),
        ([0.9, 0.8, 0.1, 0.2], [0, 0, 1, 1], 1.0),
        ([0.9, 0.7, 0.5, 0.3, 0.8, 0.2, 0.1], [1, 1, 1, 1, 0, 0, 0], 1 / 3),
        ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 0], 0.25),
        ([0.3, 0.2], [1, 0], 0.0),
        ([0.5000000001], [1], np.nan),
        ([0.5], [0], np.nan),
    ],
    ids=["fakes only", "pristine only", "ties at the threshold", "ties above", "certain", "perfect", "reversed",
         "crossed on a level stretch", "crossed in a tie", "none called fake", "one face", "one face at the threshold"],
)  # fmt: skip
def test_agrees_with_scikit_learn_on_edge_cases(scores, labels, equal_error_rate):
    assert_agrees(scores, labels)
    assert classification_metrics(scores, labels)["eer"] == pytest.approx(equal_error_rate, abs=1e-12, nan_ok=True)


def test_saturated_probabilities_are_ranked_by_their_logits():
    """A detector with logits × 20 + 60 has probabilities that are all 1 in float64; its ranking is untouched."""
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    logits = random.normal(labels * 2.3, 1)
    large = 20 * logits + 60
    plain = classification_metrics(expit(logits), labels, logits)
    saturated = classification_metrics(expit(large), labels, large)
    for name in ("auc", "ap", "eer", "tpr_at_1", "tpr_at_5"):
        assert saturated[name] == plain[name]
    assert plain["auc"] == pytest.approx(sk.roc_auc_score(labels, logits))
    # The threshold stays one of probabilities.
    assert saturated["fpr"] == np.mean(large[labels == 0] > 0)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1.5, 0.2], [1, 0], "in \\[0, 1\\]"),
        ([float("nan"), 0.2], [1, 0], "NaN"),
        ([0.1, 0.2], [1, 2], "labels must be 1"),
        ([0.1, 0.2], [1], "2 scores, 1 labels"),
        ([], [], "no scores"),
    ],
)
def test_invalid_scores_and_labels_are_refused(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(scores, labels)


TIES = st.sampled_from([0.0, 0.25, 0.5, 0.5 + 2**-40, 0.75, 1.0])


@given(st.lists(st.tuples(TIES, st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=30))
def test_weights_count_as_repeated_faces_do(faces):
    """Those of no weight are as if they were not there."""
    scores, labels, weights = map(np.array, zip((0.25, 1, 1), *faces, strict=True))
    ours = weighted_metrics(rank(scores, labels), weights[None].astype(float))
    for name, value in reference(scores.repeat(weights), labels.repeat(weights)).items():
        np.testing.assert_allclose(ours[name], [value], rtol=0, atol=1e-9, err_msg=name)


def test_the_roc_curve_is_scikit_learns_without_its_straight_stretches():
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 300), random.random(300).round(1)
    fpr, tpr = roc_curve(scores, labels)
    theirs = sk.roc_curve(labels, scores, drop_intermediate=False)
    assert {*zip(fpr, tpr, strict=True)} <= {*zip(theirs[0], theirs[1], strict=True)}
    assert np.trapezoid(tpr, fpr) == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    assert [array.tolist() for array in roc_curve([0.4, 0.3, 0.2, 0.1], [1, 1, 0, 0])] == [[0, 0, 1], [0, 1, 1]]
    assert len(roc_curve([0.2, 0.3], [1, 1])[0]) == 0


def test_the_reliability_diagram_is_scikit_learns():
    random = np.random.default_rng(0)
    scores = random.random(500)
    labels = (random.random(500) < scores).astype(int)
    mean, share, count = reliability(scores, labels)
    expected_share, expected_mean = calibration_curve(labels, scores, n_bins=15)
    np.testing.assert_allclose(mean, expected_mean)
    np.testing.assert_allclose(share, expected_share)
    assert count.sum() == 500
