import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.classification import BinaryStatScores

from sr_deepfake.metrics.classification import (
    EqualErrorRate,
    FalseNegativeRate,
    FalsePositiveRate,
    detector_metrics,
)
from sr_deepfake.metrics.functional import classification_metrics

RATES = [(FalseNegativeRate, "fnr"), (FalsePositiveRate, "fpr"), (EqualErrorRate, "eer")]


@pytest.fixture
def faces():
    torch.manual_seed(0)
    return torch.rand(97, dtype=torch.float64), torch.randint(0, 2, (97,))


def derived(scores, labels):
    return classification_metrics(scores.numpy(), labels.numpy())


def test_the_rates_count_as_torchmetrics_does():
    assert issubclass(FalseNegativeRate, BinaryStatScores)
    assert issubclass(FalsePositiveRate, BinaryStatScores)


@pytest.mark.parametrize(("rate_class", "name"), RATES)
def test_several_updates_equal_one_and_processes_merge_to_the_whole(faces, rate_class, name):
    scores, labels = faces
    whole, first, second = rate_class(), rate_class(), rate_class()
    for score, label in zip(scores.split(13), labels.split(13), strict=True):
        whole.update(score, label)
    first.update(scores[:40], labels[:40])
    second.update(scores[40:], labels[40:])
    first.merge_state(second)
    expected = pytest.approx(derived(scores, labels)[name], abs=1e-6)
    assert whole.compute().item() == expected
    assert first.compute().item() == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=40), st.integers(1, 7))
def test_the_logged_figures_are_those_that_results_derive(faces, size):
    scores = torch.tensor([score for score, _ in faces], dtype=torch.float64)
    labels = torch.tensor([label for _, label in faces])
    if labels.unique().numel() < 2:
        return
    metrics = detector_metrics("test/both/")
    for score, label in zip(scores.split(size), labels.split(size), strict=True):
        metrics.update(score, label)
    expected = derived(scores, labels)
    found = {name.removeprefix("test/both/"): value.item() for name, value in metrics.compute().items()}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_many_faces_with_equal_scores_too():
    random = np.random.default_rng(0)
    labels = torch.from_numpy(random.integers(0, 2, 8400))
    scores = torch.from_numpy((random.random(8400) * 0.7 + labels.numpy() * 0.3).round(2))
    metrics = detector_metrics("")
    metrics.update(scores, labels)
    found = {name: value.item() for name, value in metrics.compute().items()}
    assert found == pytest.approx(derived(scores, labels), abs=1e-6)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
    assert found["ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-6)


@pytest.mark.parametrize("rate_class", [FalseNegativeRate, FalsePositiveRate])
def test_a_rate_of_a_class_without_a_face_is_undefined(rate_class):
    rate = rate_class()
    rate.update(torch.tensor([0.4, 0.6]), torch.full((2,), int(rate_class is FalsePositiveRate)))
    assert rate.compute().isnan()


def test_the_threshold_is_kept_by_copies_and_pickles():
    rate = FalseNegativeRate(threshold=0.3)
    for other in (rate, copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):  # noqa: S301 - made here
        other.update(torch.tensor([0.4, 0.2]), torch.tensor([1, 1]))
        assert other.compute() == 0.5


def test_reset_forgets(faces):
    scores, labels = faces
    metrics = detector_metrics("val/")
    metrics.update(scores, 1 - labels)
    metrics.reset()
    metrics.update(scores, labels)
    assert metrics.compute()["val/auc"].item() == pytest.approx(derived(scores, labels)["auc"], abs=1e-6)
