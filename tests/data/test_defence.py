import numpy as np
import pytest
import torch
from small_training import tiny_data

from sr_deepfake.attacks import Attack
from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.defence import Defence
from sr_deepfake.data.faces import StoredFaces, TrainingFaces
from sr_deepfake.system.errors import UserError

CPU = torch.device("cpu")
FACE = torch.zeros(3, 4, 4, dtype=torch.uint8)


class Inverted(Attack):
    kind = "inverted"

    def __init__(self):
        super().__init__()
        self._sides = []

    def forward(self, faces):
        self._sides.append(faces.shape[-1])
        return 1 - faces


@pytest.fixture
def defence(tmp_path):
    """Defences with a probability, for which `FACE` and the faces of some rows are attacked."""

    def make(probability, rows=()):
        made = Defence(probability, Inverted(), tmp_path / "kept")
        made.attack(FACE[None].float() / 255)
        made.prepare((StoredFaces(rows, tmp_path)[[index]] for index in range(len(rows))), CPU)
        return made

    return make


def chosen(defence, indices, seed=0, epoch=0):
    return [bool(defence(FACE, seed=seed, epoch=epoch, index=index).any()) for index in indices]


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_the_share_of_attacked_faces_is_the_probability(defence, probability):
    share = np.mean(chosen(defence(probability), range(2000)))
    assert abs(share - probability) <= 4 * np.sqrt(probability * (1 - probability) / 2000)


def test_another_epoch_and_another_seed_choose_others(defence):
    first, *others = (chosen(defence(0.5), range(100), seed, epoch) for seed, epoch in ((0, 0), (0, 1), (1, 0)))
    assert first not in others


@pytest.mark.parametrize("probability", [-0.1, 0, 1.5])
def test_what_is_no_probability(probability, tmp_path):
    with pytest.raises(UserError, match=r"defence\.probability"):
        Defence(probability, Inverted(), tmp_path)


def test_a_recipe_tells_defences_apart(defence):
    half, quarter = defence(0.5).describe(CPU), defence(0.25).describe(CPU)
    assert half["name"] == "inverted p=0.5"
    assert half != quarter
    assert half["attack"] == quarter["attack"]


def test_it_has_to_be_prepared(tmp_path):
    with pytest.raises(ValueError, match="prepare"):
        Defence(1.0, Inverted(), tmp_path)(FACE, seed=0, epoch=0, index=0)


def test_a_training_face_is_its_attacked_self_before_it_is_augmented(defence, make_faces, tmp_path):
    rows = make_faces({"train": 10})
    augmentation = Augmentation({"flip": 0.5, "noise": 0.5})
    half, whole = defence(0.5, rows), defence(1.0, rows)
    defended, plain, attacked = (
        TrainingFaces(rows, tmp_path, 48, augmentation, 3, made) for made in (half, None, whole)
    )
    choices = chosen(half, range(len(rows)), seed=3, epoch=2)
    assert 0 < sum(choices) < len(rows)
    for index, choice in enumerate(choices):
        face, label = defended[(2, index)]
        same, other = (attacked, plain) if choice else (plain, attacked)
        # The augmentation's random numbers are those of an undefended training.
        assert torch.equal(face, same[(2, index)][0])
        assert not torch.equal(face, other[(2, index)][0])
        assert label == rows["label"][index]


def test_the_attack_sees_faces_at_their_own_size(defence, make_faces, tmp_path):
    rows = make_faces({"train": 4}, sides=(48, 72))
    made = defence(1.0, rows)
    assert made.attack.attack._sides == [FACE.shape[-1], *rows["side"]]
    faces = TrainingFaces(rows, tmp_path, 32, Augmentation({}), 0, made)
    assert all(faces[(0, index)][0].shape == (3, 32, 32) for index in range(len(rows)))


def test_the_data_module_attacks_all_training_faces_before_the_training(make_faces, tmp_path):
    make_faces({"train": 6, "val": 2, "test": 2})

    def batches(workers):
        own = Defence(0.5, Inverted(), tmp_path / "kept")
        data = tiny_data(tmp_path, workers=workers, augmentation={"flip": 0.5}, defence=own)
        data.setup("fit")
        return data, [faces for faces, _ in data.train_dataloader()]

    (data, alone), (_, helped) = batches(0), batches(2)
    assert data.defence.attack.computed == 12
    assert len(alone) == len(helped) == 1
    assert all(map(torch.equal, alone, helped))
