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
    torch.testing.assert_close(resize_faces(faces, size), F.resize(faces, [size, size], antialias=True))


def test_a_face_of_the_right_size_is_untouched():
    faces = torch.rand(1, 3, 48, 48)
    assert resize_faces(faces, 48) is faces
