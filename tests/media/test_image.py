from functools import partial

import numpy as np
import pytest
import torch
from photo_faces import as_faces, as_pictures
from PIL import Image
from scenes import two_people

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.media import attack_image
from sr_deepfake.media.faces import FaceFinder, cut, paste
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.interpolation import Interpolation


@pytest.fixture(scope="module")
def finder():
    return FaceFinder(FaceDetector())


@pytest.mark.parametrize(("network", "feather"), [(edsr, 0), (partial(Interpolation, scale=2), 8)])
def test_inside_is_the_papers_attack_and_outside_nothing(finder, network, feather):
    picture, attack = two_people(), SuperResolutionAttack(network())
    expected = picture.copy()
    (found,) = finder([picture])
    assert len(found.crops) == 2
    for crop in found.crops:
        (face,) = as_pictures(attack(as_faces(cut(picture, crop)[None])))
        paste(expected, crop, face, feather)
    kept = picture.copy()
    np.testing.assert_array_equal(attack_image(picture, attack, finder, feather), expected)
    np.testing.assert_array_equal(picture, kept)
    assert (expected != picture).any()


@pytest.mark.parametrize(("mode", "result"), [("RGB", "RGB"), ("L", "L"), ("RGBA", "RGBA"), ("P", "RGB")])
def test_pictures_of_pillows_are_attacked(finder, mode, result):
    image = Image.fromarray(two_people()).convert(mode)
    kept = np.array(image)
    attacked = attack_image(image, SuperResolutionAttack(Interpolation(scale=2)), finder)
    assert (attacked.mode, attacked.size) == (result, image.size)
    np.testing.assert_array_equal(np.array(image), kept)
    change = np.atleast_3d(np.array(attacked)) != np.atleast_3d(np.array(image.convert(result)))
    assert 0.02 < change.any(axis=2).mean() < 0.7


@pytest.mark.parametrize("wrong", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8)])
def test_other_arrays_are_errors(wrong):
    with pytest.raises(ValueError, match="uint8 array"):
        attack_image(wrong, torch.nn.Identity())
