import torch

from sr_deepfake.attacks.base import Identity


def test_faces_come_back_as_they_are():
    faces = torch.rand(2, 3, 24, 24)
    assert torch.equal(Identity()(faces), faces)
