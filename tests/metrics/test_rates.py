import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics import Metric, MetricCollection

from sr_deepfake.metrics.functional import false_negative_rate, false_positive_rate
from sr_deepfake.metrics.rates import FalseNegativeRate, FalsePositiveRate

RATES = [(FalseNegativeRate, false_negative_rate), (FalsePositiveRate, false_positive_rate)]


@pytest.fixture
def faces():
    torch.manual_seed(0)
    return torch.rand(97, dtype=torch.float64), torch.randint(0, 2, (97,))


@pytest.mark.parametrize(("rate_class", "function"), RATES)
def test_several_updates_equal_one(faces, rate_class, function):
    scores, labels = faces
    rate = rate_class()
    assert isinstance(rate, Metric)
    for score, label in zip(scores.split(13), labels.split(13), strict=True):
        rate.update(score, label)
    assert rate.compute() == function(scores, labels)


@pytest.mark.parametrize(("rate_class", "function"), RATES)
def test_states_of_processes_merge_to_the_whole(faces, rate_class, function):
    scores, labels = faces
    first, second = rate_class(), rate_class()
    first.update(scores[:40], labels[:40])
    second.update(scores[40:], labels[40:])
    first.merge_state(second)
    assert first.compute() == function(scores, labels)
    assert set(first._reductions) == {
        "true_positives",
        "false_positives",
        "true_negatives",
        "false_negatives",
    }
    assert all(reduction is not None for reduction in first._reductions.values())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=1, max_size=30), st.integers(1, 7))
def test_batches_of_any_size_give_what_a_plain_loop_gives(faces, size):
    scores, labels = (
        torch.tensor([score for score, _ in faces], dtype=torch.float64),
        torch.tensor([label for _, label in faces]),
    )
    rates = MetricCollection([FalseNegativeRate(), FalsePositiveRate()])
    for score, label in zip(scores.split(size), labels.split(size), strict=True):
        rates.update(score, label)
    fakes = [score for score, label in faces if label == 1]
    pristine = [score for score, label in faces if label == 0]
    result = rates.compute()
    if fakes:
        assert result["FalseNegativeRate"] == sum(score <= 0.5 for score in fakes) / len(fakes)
    else:
        assert result["FalseNegativeRate"].isnan()
    if pristine:
        assert result["FalsePositiveRate"] == sum(score > 0.5 for score in pristine) / len(pristine)
    else:
        assert result["FalsePositiveRate"].isnan()


@pytest.mark.parametrize(("rate_class", "function"), RATES)
def test_forward_gives_the_batch_and_reset_forgets(faces, rate_class, function):
    scores, labels = faces
    rate = rate_class()
    rate.update(scores[:50], labels[:50])
    assert rate(scores[50:], labels[50:]) == function(scores[50:], labels[50:])
    assert rate.compute() == function(scores, labels)
    rate.reset()
    rate.update(scores[:20], labels[:20])
    assert rate.compute() == function(scores[:20], labels[:20])


def test_the_threshold_is_kept_by_copies_and_pickles():
    rate = FalseNegativeRate(threshold=0.3)
    for other in (rate, copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):  # noqa: S301 - made here
        other.update(torch.tensor([0.4, 0.2]), torch.tensor([1, 1]))
        assert other.compute() == 0.5


def test_logits_are_refused():
    with pytest.raises(ValueError, match="probabilities"):
        FalsePositiveRate().update(torch.tensor([3.0, -2.0]), torch.tensor([1, 0]))
