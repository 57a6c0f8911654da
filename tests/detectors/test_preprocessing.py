import pytest
import torch
import torchvision.transforms.v2.functional as F

from sr_deepfake.detectors.preprocessing import input_of_backbone
from sr_deepfake.system.errors import UserError

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def test_normalised_input_equals_torchvisions():
    faces = torch.rand(2, 3, 120, 120)
    ours = input_of_backbone(64, "normalised", MEAN, STD)(faces)
    theirs = F.normalize(F.resize(faces, [64, 64], antialias=True), MEAN, STD)
    assert (ours - theirs).abs().max() <= 0.501 / 255 / min(STD)  # it is rounded to 8 bits before


def test_published_input_is_bgr_0_to_255():
    faces = torch.zeros(1, 3, 64, 64)
    faces[:, 0] = 1.0  # red
    out = input_of_backbone(64, "bgr255", MEAN, STD)(faces)
    assert out[0, :, 0, 0].tolist() == [0.0, 0.0, 255.0]


def test_an_unknown_input_is_an_error():
    with pytest.raises(UserError, match=r"protocol\.input='rgb'"):
        input_of_backbone(64, "rgb", MEAN, STD)
    with pytest.raises(UserError, match=r"protocol\.resize='cubic'.*bilinear, bicubic, authors"):
        input_of_backbone(64, "normalised", MEAN, STD, resize="cubic")
