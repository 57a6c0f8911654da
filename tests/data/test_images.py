import cv2
import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as F

from sr_deepfake.data.images import read_face, resize_faces
from sr_deepfake.system.errors import UserError


def test_a_face_is_read_as_rgb(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "face.png"), picture[:, :, ::-1])
    assert np.array_equal(read_face(tmp_path / "face.png").permute(1, 2, 0).numpy(), picture)


@pytest.mark.parametrize("content", [None, b"", b"not a picture"])
def test_a_missing_or_damaged_crop_is_named(tmp_path, content):
    path = tmp_path / "face.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"face\.png.*sr_deepfake\.prepare"):
        read_face(path)


@pytest.mark.parametrize("size", [48, 112, 200])
def test_resizing_equals_torchvisions(size):
    faces = torch.rand(2, 3, 120, 120)
    theirs = F.resize(faces, [size, size], antialias=True)
    ours = resize_faces(faces, size) * 255
    assert (ours - ours.round()).abs().max() < 1e-3  # 8 bits
    assert (ours - theirs * 255).abs().max() <= 0.501


def test_a_face_of_the_right_size_is_untouched():
    faces = torch.rand(1, 3, 48, 48)
    assert resize_faces(faces, 48) is faces


@pytest.mark.parametrize("side", [96, 168, 224, 288, 480])
def test_the_published_resize_is_opencvs_to_the_last_bit(side):
    """Clean faces are files made with INTER_AREA; attacked ones go down with it and up with INTER_CUBIC."""
    levels = np.random.default_rng(side).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    faces = torch.from_numpy(levels).permute(0, 3, 1, 2).float() / 255
    for attacked in (False, True):
        flag = cv2.INTER_CUBIC if attacked and side < 224 else cv2.INTER_AREA
        expected = np.stack([cv2.resize(face, (224, 224), interpolation=flag) for face in levels])
        found = resize_faces(faces, 224, "authors", attacked)
        np.testing.assert_array_equal((found * 255).round().byte().permute(0, 2, 3, 1).numpy(), expected)
