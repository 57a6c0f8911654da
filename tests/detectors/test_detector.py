import math

import pytest
import torch

from sr_deepfake.detectors.detector import Detector
from sr_deepfake.errors import UserError


@pytest.fixture
def detector():
    torch.manual_seed(0)
    return Detector("test_resnet", image_size=64, pos_weight=2.5).eval()


def test_a_logit_a_face_at_any_side(detector):
    assert detector(torch.rand(3, 3, 96, 96)).shape == (3,)
    assert detector(torch.rand(1, 3, 48, 48)).shape == (1,)


def test_a_score_does_not_depend_on_the_neighbours(detector):
    faces = torch.rand(4, 3, 72, 72)
    alone = torch.cat([detector(face[None]) for face in faces])
    torch.testing.assert_close(detector(faces), alone, atol=1e-5, rtol=1e-5)


def test_the_loss_weighs_fakes(detector):
    logits, labels = torch.tensor([0.3, -1.2, 2.0]), torch.tensor([1.0, 0.0, 1.0])
    by_hand = []
    for logit, label in zip(logits.tolist(), labels.tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        by_hand.append(-2.5 * label * math.log(p) - (1 - label) * math.log(1 - p))
    assert detector.loss(logits, labels).item() == pytest.approx(sum(by_hand) / 3, rel=1e-6)


def test_a_checkpoint_holds_plain_values_only(detector):
    assert all(isinstance(value, str | int | float) for value in detector.hparams.values())


def test_channels_last_changes_nothing_but_the_memory_format(detector):
    faces = torch.rand(2, 3, 64, 64)
    before = detector(faces)
    detector.backbone.to(memory_format=torch.channels_last)
    torch.testing.assert_close(detector(faces), before, atol=1e-4, rtol=1e-4)


class _Trainer:
    estimated_stepping_batches = 100


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_the_rate_follows_a_cosine_to_a_hundredth(optimiser):
    detector = Detector("test_resnet", image_size=64, optimiser=optimiser, learning_rate=0.01)
    detector._trainer = _Trainer()  # all that configure_optimizers asks of a trainer
    made = detector.configure_optimizers()
    schedule = made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(101):
        rates.append(schedule.get_last_lr()[0])
        made["optimizer"].step()
        schedule.step()
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.01), T_max=100, eta_min=0.0001
    )
    expected = []
    for _ in range(101):
        expected.append(reference.get_last_lr()[0])
        reference.optimizer.step()
        reference.step()
    assert rates == pytest.approx(expected, rel=1e-6)
    assert rates[-1] == pytest.approx(0.0001)


def test_an_unknown_optimiser_names_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'adamw'"):
        Detector("test_resnet", image_size=64, optimiser="adam")
