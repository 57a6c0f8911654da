import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.loaders import TrainingFaces, training_loader

FACE = torch.zeros(3, 4, 4, dtype=torch.uint8)


def inverted(face):
    return 255 - face


def chosen(defence, indices, seed=0, epoch=0):
    return [bool(defence(FACE, seed=seed, epoch=epoch, index=index).any()) for index in indices]


def test_the_share_of_attacked_faces_is_the_probability():
    share = np.mean(chosen(Defence(0.3, inverted), range(4000)))
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)


def test_never_and_always():
    assert not any(chosen(Defence(0.0, inverted), range(50)))
    assert all(chosen(Defence(1.0, inverted), range(50)))


@given(st.integers(0, 2**31), st.integers(0, 30), st.lists(st.integers(0, 10_000), min_size=1, max_size=20))
def test_the_choice_depends_on_seed_epoch_and_index_alone(seed, epoch, indices):
    defence = Defence(0.5, inverted)
    one_by_one = [chosen(defence, [index], seed, epoch)[0] for index in reversed(indices)]
    np.random.default_rng().random()
    assert one_by_one[::-1] == chosen(defence, indices, seed, epoch)


def test_another_epoch_and_another_seed_choose_others():
    defence = Defence(0.5, inverted)
    first = chosen(defence, range(100))
    assert first != chosen(defence, range(100), epoch=1)
    assert first != chosen(defence, range(100), seed=1)


@pytest.mark.parametrize("probability", [-0.1, 1.5])
def test_what_is_no_probability(probability):
    with pytest.raises(ValueError, match="probability"):
        Defence(probability, inverted)


def test_a_training_face_is_its_attacked_self_before_it_is_augmented(make_faces, tmp_path):
    rows = make_faces({"train": 10})
    augmentation = Augmentation({"flip": 0.5, "noise": 0.5})
    defended = TrainingFaces(rows, tmp_path, 48, augmentation, 3, Defence(0.5, inverted))
    plain = TrainingFaces(rows, tmp_path, 48, augmentation, 3)
    attacked = TrainingFaces(rows, tmp_path, 48, augmentation, 3, Defence(1.0, inverted))
    choices = chosen(Defence(0.5, inverted), range(len(rows)), seed=3, epoch=2)
    assert 0 < sum(choices) < len(rows)
    for index, choice in enumerate(choices):
        face, label = defended[(2, index)]
        same = attacked if choice else plain
        # The augmentation's random numbers are those of an undefended training.
        assert torch.equal(face, same[(2, index)][0])
        assert not torch.equal(face, (plain if choice else attacked)[(2, index)][0])
        assert label == rows["label"][index]


def test_the_attack_sees_faces_at_their_own_size(make_faces, tmp_path):
    rows = make_faces({"train": 4}, sides=(48, 72))
    sides = []

    def seen(face):
        sides.append((face.dtype, face.shape[-1]))
        return face

    faces = TrainingFaces(rows, tmp_path, 32, Augmentation({}), 0, Defence(1.0, seen))
    assert all(faces[(0, index)][0].shape == (3, 32, 32) for index in range(len(rows)))
    assert sides == [(torch.uint8, side) for side in rows["side"]]


def test_the_number_of_workers_changes_nothing(make_faces, tmp_path):
    rows = make_faces({"train": 6})

    def batches(workers):
        loader = training_loader(
            rows,
            tmp_path,
            size=48,
            augmentation=Augmentation({"flip": 0.5}),
            batch_size=4,
            seed=1,
            workers=workers,
            defence=Defence(0.5, inverted),
        )
        return [faces for faces, _ in loader]

    for one, other in zip(batches(0), batches(2), strict=True):
        assert torch.equal(one, other)
