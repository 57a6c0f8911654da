import math

import numpy as np
import pytest
import torch
from photo_faces import as_faces, photos

from sr_deepfake.attacks import BlurAttack, ChainAttack, JpegAttack, NoiseAttack, ResizeAttack, UploadAttack, WebpAttack
from sr_deepfake.attacks.base import Identity, PictureAttack, number, whole_number
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.attacks.h264 import H264Attack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError


class Changed(PictureAttack):
    """What a function makes of each picture."""

    kind = "changed"

    def __init__(self, change):
        super().__init__()
        self.change = change


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (torch.zeros(3, 24, 24), "B×3×S×S, not 3×24×24"),
        (torch.zeros(1, 1, 24, 24), "B×3×S×S"),
        (torch.zeros(1, 3, 0, 24), "B×3×S×S"),
        (torch.zeros(1, 3, 24, 24, dtype=torch.uint8), r"torch\.uint8"),
        (torch.zeros(1, 3, 24, 24, dtype=torch.float64), r"torch\.float64"),
        (torch.full((1, 3, 24, 24), 255.0), r"in \[0, 1\], these in \[255, 255\]"),
        (torch.full((1, 3, 24, 24), -0.1), r"in \[0, 1\]"),
        (torch.full((1, 3, 24, 24), float("nan")), r"in \[0, 1\]"),
    ],
)
def test_what_is_no_batch_of_faces_is_refused(faces, message, tmp_path):
    network = SuperResolutionAttack(Interpolation())
    for attack in (JpegAttack(35), network, ChainAttack(only=network), CachedAttack(network, tmp_path)):
        with pytest.raises(ValueError, match=message):
            attack(faces)


def test_the_attack_gets_each_face_as_a_contiguous_8_bit_picture():
    seen = []

    def note(picture):
        seen.append(picture)
        assert picture.flags.c_contiguous
        return picture

    pictures = photos(3, 20, 31)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        seen.clear()
        faces = as_faces(pictures).contiguous(memory_format=memory_format)
        assert torch.equal(Changed(note)(faces), faces)
        assert [picture.dtype for picture in seen] == [np.uint8] * 3
        np.testing.assert_array_equal(np.stack(seen), pictures)


def test_values_are_rounded_and_clipped_at_both_ends():
    faces = torch.full((1, 3, 1, 4), 100 / 255)
    values = np.array([-300.0, 99.4, 99.6, 300.0], np.float32)
    result = Changed(lambda picture: picture * 0 + values[None, :, None])(faces)
    assert (result[0, 0, 0] * 255).round().tolist() == [0, 99, 100, 255]


def test_writing_on_the_picture_leaves_the_faces_alone():
    faces = as_faces(photos(2))
    before = faces.clone()

    def blacken(picture):
        picture[:] = 0
        return picture

    assert Changed(blacken)(faces).max() == 0
    assert torch.equal(faces, before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_faces_on_a_gpu_come_back_to_it_with_the_same_bits():
    faces = as_faces(photos(2))
    result = Changed(lambda picture: 255 - picture)(faces.cuda())
    assert result.is_cuda
    assert torch.equal(result.cpu(), Changed(lambda picture: 255 - picture)(faces))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JpegAttack(quality=0), r"attack\.quality must be an integer from 1 to 100, not 0"),
        (lambda: JpegAttack(quality=35.5), r"attack\.quality must be an integer from 1 to 100, not 35\.5"),
        (lambda: JpegAttack(35, chroma="4:1:1"), r"attack\.chroma='4:1:1'.*4:2:0, 4:2:2, 4:4:4"),
        (lambda: BlurAttack(sigma=-1.5), r"attack\.sigma must be > 0 and ≤ 100, not -1\.5"),
        (lambda: NoiseAttack(std=256), r"attack\.std must be > 0 and ≤ 255, not 256"),
        (lambda: NoiseAttack(4, seed=-1), r"attack\.seed must be an integer"),
        (lambda: H264Attack(crf=60), r"attack\.crf must be an integer from 0 to 51, not 60"),
        (lambda: ResizeAttack(factor=1), r"attack\.factor must be > 1"),
        (lambda: WebpAttack(quality=-1), r"attack\.quality must be an integer from 0 to 100, not -1"),
        (lambda: WebpAttack(quality=101), r"attack\.quality must be an integer from 0 to 100, not 101"),
        (lambda: UploadAttack(factor=1), r"attack\.factor must be > 1"),
        (lambda: UploadAttack(quality=0), r"attack\.quality must be an integer from 1 to 100, not 0"),
    ],
)
def test_a_strength_out_of_range_names_its_option(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "2", [2]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UserError, match="key must be"):
        number(value, "key", 0, 100)
    with pytest.raises(UserError, match="key must be"):
        whole_number(value, "key", 0, 100)


def test_the_ends_of_the_range():
    assert [whole_number(value, "key", 1, 100) for value in (1, 100)] == [1, 100]
    assert number(100, "key", 0, 100) == 100.0
    with pytest.raises(UserError):
        number(0, "key", 0, 100)


def test_faces_come_back_as_they_are():
    faces = torch.rand(2, 3, 24, 24)
    assert torch.equal(Identity()(faces), faces)


def test_a_chain_holds_its_attacks_and_leaves_none_out():
    faces, network = as_faces(photos(1)), SuperResolutionAttack(edsr())
    assert torch.equal(ChainAttack(first=None, second=JpegAttack(20))(faces), JpegAttack(20)(faces))
    assert set(ChainAttack(first=network, second=JpegAttack(15)).parameters()) == set(network.parameters())
    for attacks in ({}, {"first": None, "second": None}):
        with pytest.raises(UserError, match=r"attack=chain: .* attack=none"):
            ChainAttack(**attacks)


def test_an_attack_says_its_settings():
    assert Identity("none").extra_repr() == "kind='none'"
    assert JpegAttack(35, severity=2).extra_repr() == "quality=35, chroma='4:2:0'"
    attack = SuperResolutionAttack(Interpolation(), max_pixels=3)
    assert attack.extra_repr() == "scale=2, convention='rgb', precision='auto'"
