import numpy as np
import pytest
import torch
from photo_faces import as_faces, as_pictures, photos
from PIL import Image
from torch import nn

from sr_deepfake.attacks.restoration import RestorationAttack
from sr_deepfake.super_resolution.restoration import SIDE
from sr_deepfake.system.errors import UserError


class Darker(nn.Module):
    """Stands for a network; notes what it was given."""

    def __init__(self):
        super().__init__()
        self.name = "darker"
        self.factor = nn.Parameter(torch.tensor(0.5))
        self.seen = []

    def forward(self, faces):
        self.seen.append(faces)
        return faces * self.factor


@pytest.mark.parametrize("side", [48, 97, 224, 600])
def test_it_resizes_as_pillow_does(side):
    """Pillow's bilinear widens its kernel in the same way; its integer arithmetic may be a level apart."""
    network = Darker()
    pictures = photos(2, side) if side < 400 else photos(2, side // 2).repeat(2, 1).repeat(2, 2)
    attacked = as_pictures(RestorationAttack(network)(as_faces(pictures)))
    for picture, result, seen in zip(pictures, attacked, network.seen, strict=True):
        large = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        given = seen[0].permute(1, 2, 0).numpy() * 255
        assert np.abs(given - given.round()).max() < 1e-3  # a saved picture
        assert np.abs(given - large).max() <= 1.01
        back = Image.fromarray((given / 2).round().astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
        assert np.abs(result.astype(int) - np.asarray(back).astype(int)).max() <= 1


def test_its_name_says_network_weights_and_precision():
    attack = RestorationAttack(Darker())
    assert attack.name.startswith("restoration-darker-")
    other = Darker()
    other.factor.data.fill_(0.25)
    assert RestorationAttack(other).name != attack.name
    assert RestorationAttack(Darker(), precision="bf16").name == f"{attack.name}-bf16"
    with pytest.raises(UserError, match=r"attack\.precision"):
        RestorationAttack(Darker(), precision="half")


def test_no_face_depends_on_another_and_nothing_of_nothing():
    network = nn.Identity()
    network.name = "identity"
    attack = RestorationAttack(network)
    faces = as_faces(photos(3, 64))
    whole = attack(faces)
    assert whole.shape == faces.shape
    assert not whole.requires_grad
    assert torch.equal(whole, torch.cat([attack(face) for face in faces.split(1)]))
    assert attack(faces[:0]).shape == (0, 3, 64, 64)
    with pytest.raises(ValueError, match="B×3×S×S"):
        attack(torch.rand(3, 64, 64))
