import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from photo_faces import as_faces, as_pictures, photos
from PIL import Image
from torch import nn

from sr_deepfake.attacks.alignment import TEMPLATE, FaceAligner, aligned
from sr_deepfake.attacks.restoration import RestorationAttack
from sr_deepfake.data.extraction.cropping import square_crop
from sr_deepfake.data.sample.people import read_identity
from sr_deepfake.media.faces import cut
from sr_deepfake.super_resolution.restoration import SIDE, no_network
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
    attacked = as_pictures(RestorationAttack(network, align=False)(as_faces(pictures)))
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


@pytest.fixture(scope="module")
def person():
    """A face crop, and where facenet-pytorch's MTCNN sees its landmarks in the whole picture: from the crop's corner, px."""
    frame = read_identity("030")[0]
    boxes, _, points = MTCNN(select_largest=True).detect(Image.fromarray(frame), landmarks=True)
    crop = square_crop(tuple(map(float, boxes[0])), *frame.shape[:2], 0.1, 24)
    return cut(frame, crop), points[0] - np.array([crop.left, crop.top])


def test_an_aligned_face_has_its_eyes_where_the_template_has_them(person):
    face, points = person
    aligner = FaceAligner()
    assert np.abs(aligner.landmarks(face) - points).max() < 0.04 * len(face)
    again = aligner.landmarks(aligned(face, aligner.warp(face))[96:448, 80:432]) + np.array([80, 96])
    assert np.abs(again - TEMPLATE).max() < 15  # of 512 px


class Marker(nn.Module):
    """Paints a white square at the template's nose."""

    name = "marker"

    def forward(self, faces):
        marked = faces.clone()
        x, y = TEMPLATE[2].round().astype(int)
        marked[..., y - 12 : y + 12, x - 12 : x + 12] = 1
        return marked


def test_what_the_network_did_comes_back_to_its_place_and_the_control_changes_little(person):
    face, _ = person
    attacked = RestorationAttack(Marker())(as_faces(face[None]))[0].permute(1, 2, 0).numpy() * 255
    white = np.argwhere((attacked > 250).all(axis=2)).mean(axis=0)[::-1]
    warp = np.vstack([FaceAligner().warp(face), [0, 0, 1]])
    nose = np.linalg.solve(warp, [*(TEMPLATE[2].round() - 0.5), 1])[:2]  # the square's middle
    assert np.abs(white - nose).max() < 0.6
    control = RestorationAttack(no_network())
    assert control.name == "restoration-none"
    back = as_pictures(control(as_faces(face[None])))[0]
    assert np.abs(back.astype(int) - face.astype(int)).mean() < 2
    assert control.unaligned == 0


def test_a_picture_without_a_face_is_restored_as_it_is():
    plain = as_faces(np.full((1, 96, 96, 3), 90, np.uint8))
    attack = RestorationAttack(no_network())
    assert torch.equal(attack(plain), plain)
    assert attack.unaligned == 1
