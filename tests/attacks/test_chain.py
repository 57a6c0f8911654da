import pytest
import torch
from photo_faces import as_faces, photos

from sr_deepfake.attacks.blur import BlurAttack
from sr_deepfake.attacks.chain import ChainAttack
from sr_deepfake.attacks.jpeg import JpegAttack
from sr_deepfake.attacks.resize import ResizeAttack
from sr_deepfake.errors import UserError


def test_attacks_act_in_the_order_of_the_list():
    faces = as_faces(photos(2))
    blur, jpeg, resize = BlurAttack(2), JpegAttack(20), ResizeAttack(3)
    assert torch.equal(ChainAttack([blur, jpeg, resize])(faces), resize(jpeg(blur(faces))))
    assert not torch.equal(ChainAttack([jpeg, blur])(faces), ChainAttack([blur, jpeg])(faces))
    assert torch.equal(ChainAttack([jpeg])(faces), jpeg(faces))


def test_none_is_left_out_and_nothing_is_an_error():
    faces = as_faces(photos(1))
    assert torch.equal(ChainAttack([None, JpegAttack(20)])(faces), JpegAttack(20)(faces))
    for attacks in ([], [None, None]):
        with pytest.raises(UserError, match=r"attack=chain: .* attack=none"):
            ChainAttack(attacks)


def test_its_attacks_are_part_of_it():
    linear = torch.nn.Linear(1, 1)
    assert set(ChainAttack([linear, JpegAttack()]).parameters()) == set(linear.parameters())


def test_what_is_no_batch_of_faces_is_refused():
    with pytest.raises(ValueError, match="B×3×S×S"):
        ChainAttack([JpegAttack()])(torch.zeros(3, 24, 24))
