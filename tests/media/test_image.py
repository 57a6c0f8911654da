from functools import partial

import numpy as np
import pytest
import torch
from photo_files import KINDS, stored, write_photo
from PIL import Image
from scenes import scene, two_people

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.media import attack_image
from sr_deepfake.media.faces import FaceFinder, FoundFaces, attack_crops, cut
from sr_deepfake.media.image import attack_photo
from sr_deepfake.media.photo import read_photo_file, write_photo_file
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.interpolation import Interpolation


def of_a_data_set(attack, crop):
    """What an attack does to a face crop as `evaluate` gives it."""
    faces = torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].float() / 255
    return (attack(faces)[0] * 255).round().byte().numpy().transpose(1, 2, 0)


@pytest.fixture(scope="module")
def finder():
    return FaceFinder(FaceDetector())


def test_inside_is_the_papers_attack_and_outside_nothing(finder):
    picture = two_people()
    attack = SuperResolutionAttack(edsr())
    expected = picture.copy()
    (found,) = finder([picture])
    assert len(found.crops) == 2
    for crop in found.crops:
        face = of_a_data_set(attack, cut(picture, crop))
        expected[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side] = face
    kept = picture.copy()
    np.testing.assert_array_equal(attack_image(picture, attack, finder), expected)
    np.testing.assert_array_equal(picture, kept)
    assert (expected != picture).any()


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, mode, lossless in KINDS if lossless])
def test_files_of_every_lossless_kind(tmp_path, suffix, mode):
    """A face that lies at the edge, and one in the middle; the attack is of the RGB that Pillow makes of the file."""
    crops = [Crop(20, 20, 48), Crop(0, 0, 24)]
    path = write_photo(tmp_path / f"a.{suffix}", mode, scene(("030", 10, 5, 60), height=70, width=96))
    photo, attack = read_photo_file(path), SuperResolutionAttack(Interpolation(scale=2))
    picture = photo.rgb()
    _, _, attacked_faces = attack_photo(photo, lambda frames: [FoundFaces(crops)], partial(attack_crops, attack))
    write_photo_file(photo, tmp_path / f"out.{suffix}")
    before, after = read_photo_file(path).pixels, stored(tmp_path / f"out.{suffix}")
    outside = np.ones(picture.shape[:2], bool)
    for crop in crops:
        outside[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side] = False
    np.testing.assert_array_equal(after[outside], before[outside])
    again = read_photo_file(tmp_path / f"out.{suffix}")
    for crop, attacked in zip(crops, attacked_faces, strict=True):
        face = of_a_data_set(attack, cut(picture, crop))
        np.testing.assert_array_equal(attacked, face)
        if photo.mode not in ("L", "LA") and crop == crops[-1]:  # the one that is put last
            np.testing.assert_array_equal(cut(again.rgb(), crop), face)


def test_feather_changes_the_border_alone(finder):
    picture = two_people()
    attack = SuperResolutionAttack(Interpolation(scale=2))
    sharp, soft = (attack_image(picture, attack, finder, feather=feather) for feather in (0, 8))
    (found,) = finder([picture])
    border = np.zeros(picture.shape[:2], bool)
    for crop in found.crops:
        rows = slice(crop.top, crop.top + crop.side)
        border[rows, crop.left : crop.left + crop.side] = True
        border[crop.top + 8 : crop.top + crop.side - 8, crop.left + 8 : crop.left + crop.side - 8] = False
    np.testing.assert_array_equal(sharp[~border], soft[~border])
    assert (sharp[border] != soft[border]).any()


@pytest.mark.parametrize(("mode", "result"), [("RGB", "RGB"), ("L", "L"), ("RGBA", "RGBA"), ("P", "RGB")])
def test_pictures_of_pillows_are_attacked(finder, mode, result):
    image = Image.fromarray(two_people()).convert(mode)
    kept = np.array(image)
    attacked = attack_image(image, SuperResolutionAttack(Interpolation(scale=2)), finder)
    assert (attacked.mode, attacked.size) == (result, image.size)
    np.testing.assert_array_equal(np.array(image), kept)
    change = np.atleast_3d(np.array(attacked)) != np.atleast_3d(np.array(image.convert(result)))
    assert 0.02 < change.any(axis=2).mean() < 0.7


def test_dozens_of_faces():
    crops = [Crop(24 * column, 24 * row, 24) for row in range(6) for column in range(8)]
    picture = np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8)
    attack = SuperResolutionAttack(Interpolation(scale=2))
    attacked = attack_image(picture, attack, lambda frames: [FoundFaces(crops)])
    for crop in crops:
        np.testing.assert_array_equal(cut(attacked, crop), of_a_data_set(attack, cut(picture, crop)))


def test_without_a_face_nothing_changes(finder):
    picture = np.full((60, 80, 3), 120, np.uint8)
    np.testing.assert_array_equal(attack_image(picture, SuperResolutionAttack(Interpolation(scale=2)), finder), picture)


@pytest.mark.parametrize("wrong", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8)])
def test_other_arrays_are_errors(wrong):
    with pytest.raises(ValueError, match="uint8 array"):
        attack_image(wrong, torch.nn.Identity())
