import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.metrics.classification import classification_metrics
from sr_deepfake.metrics.collection import DetectorMetrics


@given(st.lists(st.tuples(st.floats(-50, 90), st.integers(0, 1)), min_size=1, max_size=40), st.integers(1, 7))
def test_what_is_logged_are_the_figures_of_results_however_they_were_collected(faces, size):
    logits = torch.tensor([logit for logit, _ in faces], dtype=torch.float64)
    labels = torch.tensor([label for _, label in faces])
    metrics, first, second = DetectorMetrics(), DetectorMetrics(), DetectorMetrics()
    for logit, label in zip(logits.split(size), labels.split(size), strict=True):
        metrics.update(logit, label)
    first.update(logits[:1], labels[:1])
    second.update(logits[1:], labels[1:])
    first.merge_state(second)
    expected = classification_metrics(torch.sigmoid(logits).numpy(), labels.numpy(), logits.numpy())
    # torchmetrics' own classes say 0 of what is undefined, as the recall of pristine faces alone.
    defined = {name: value for name, value in expected.items() if value == value}
    assert metrics.compute() == pytest.approx(defined, abs=1e-12)
    assert first.compute() == pytest.approx(defined, abs=1e-12)


def test_a_training_that_diverges_logs_nothing():
    """Lightning ends it by its loss; a figure of NaN would be an error."""
    metrics = DetectorMetrics()
    metrics.update(torch.tensor([2.0, float("nan")]), torch.tensor([0, 1]))
    assert metrics.compute() == {}
