import pickle

import pytest
import torch

from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture
def attack(tmp_path):
    return CachedAttack(SuperResolutionAttack(Interpolation(2), 2), tmp_path)


@pytest.fixture
def faces():
    return torch.randint(
        0, 256, (5, 3, 48, 48), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )


def test_what_was_attacked_is_given_back_to_the_last_bit(attack, faces):
    attacked = (attack(faces.float() / 255) * 255).round().to(torch.uint8)
    recall = attack.recall(CPU)
    for face, expected in zip(faces, attacked, strict=True):
        given = recall(face)
        assert given.dtype == torch.uint8
        assert torch.equal(given, expected)
        assert not torch.equal(given, face)


def test_another_process_can_recall(attack, faces):
    attack(faces.float() / 255)
    elsewhere = pickle.loads(pickle.dumps(attack.recall(CPU)))  # noqa: S301  # as a loader's worker gets it
    assert torch.equal(elsewhere(faces[0]), attack.recall(CPU)(faces[0]))
    assert len(pickle.dumps(attack.recall(CPU))) < 10_000  # without the network


def test_a_face_that_was_never_attacked_is_no_silent_fallback(attack, faces):
    attack(faces[:1].float() / 255)
    with pytest.raises(UserError, match="run again"):
        attack.recall(CPU)(faces[1])


def test_a_damaged_file_is_told(attack, faces, tmp_path):
    attack(faces[:1].float() / 255)
    (file,) = tmp_path.glob("*/*/*.png")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="gone or damaged"):
        attack.recall(CPU)(faces[0])
