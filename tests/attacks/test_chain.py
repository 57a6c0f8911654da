import pytest
import torch
from photo_faces import as_faces, photos

from sr_deepfake.attacks import BlurAttack, JpegAttack, ResizeAttack
from sr_deepfake.attacks.base import ChainAttack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.system.errors import UserError


def test_attacks_act_in_the_order_of_the_list():
    faces = as_faces(photos(2))
    blur, jpeg, resize = BlurAttack(2), JpegAttack(20), ResizeAttack(3)
    assert torch.equal(ChainAttack(first=blur, second=jpeg, third=resize)(faces), resize(jpeg(blur(faces))))
    assert not torch.equal(ChainAttack(first=jpeg, second=blur)(faces), ChainAttack(first=blur, second=jpeg)(faces))
    assert torch.equal(ChainAttack(only=jpeg)(faces), jpeg(faces))


def test_none_is_left_out_and_nothing_is_an_error():
    faces = as_faces(photos(1))
    assert torch.equal(ChainAttack(first=None, second=JpegAttack(20))(faces), JpegAttack(20)(faces))
    for attacks in ({}, {"first": None, "second": None}):
        with pytest.raises(UserError, match=r"attack=chain: .* attack=none"):
            ChainAttack(**attacks)


def test_its_attacks_are_part_of_it():
    network = SuperResolutionAttack(edsr())
    chain = ChainAttack(first=network, second=JpegAttack(15))
    assert set(chain.parameters()) == set(network.parameters())
    assert chain.name == f"{network.name}+jpeg-q15"
