import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scenes import scene

from sr_deepfake.data.extraction.video import read_photo
from sr_deepfake.system.errors import SourceError
from sr_deepfake.system.photos import PHOTO_SUFFIXES, is_photo, open_photo

PICTURE = scene(height=40, width=60)  # smooth: compression keeps it


def save(path: Path, **options) -> Path:
    Image.fromarray(PICTURE).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
def test_every_suffix_is_read(tmp_path, suffix):
    drawn = read_photo(save(tmp_path / f"a{suffix}"))
    assert (drawn.indices, drawn.n_frames) == ([0], 1)
    assert drawn.images[0].dtype == np.uint8
    assert drawn.images[0].shape == (40, 60, 3)
    assert np.abs(drawn.images[0].astype(int) - PICTURE).mean() < 4
    assert is_photo(tmp_path / f"a{suffix.upper()}")


def test_a_photo_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    drawn = read_photo(save(tmp_path / "a.png", exif=exif))
    np.testing.assert_array_equal(drawn.images[0], np.rot90(PICTURE, k=-1))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA"])
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode):
    Image.fromarray(PICTURE).convert(mode).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").images[0].shape == (40, 60, 3)


def cut(path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, path.suffix[1:])
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("gone.png", lambda path: None, "missing"),
        ("empty.jpg", lambda path: path.write_bytes(b""), "empty file"),
        ("text.jpg", lambda path: path.write_text("no photo"), "unreadable"),
        ("script.jpg", lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n"), "unreadable"),
        ("folder.png", lambda path: path.mkdir(), "unreadable"),
        ("cut.png", cut, "unreadable"),
        ("cut.jpeg", cut, "unreadable"),
        ("cut.webp", cut, "unreadable"),
        ("float.tif", lambda path: Image.fromarray(np.ones((9, 9), np.float32)).save(path), "not supported"),
        ("deep.png", lambda path: cv2.imwrite(str(path), np.ones((9, 9, 3), np.uint16)), "not supported"),
    ],
)
def test_damage_is_named(tmp_path, name, make, reason):
    make(tmp_path / name)
    with pytest.raises(SourceError) as caught:
        read_photo(tmp_path / name)
    assert caught.value.reason == reason
    assert "\n" not in caught.value.detail


def test_a_photo_that_is_too_large_is_not_decoded(tmp_path):
    path = save(tmp_path / "a.png")
    open_photo(path, max_pixels=40 * 60)
    with pytest.raises(SourceError, match="too large: 60×40 px are 2,400 pixels; at most 2,399"):
        open_photo(path, max_pixels=40 * 60 - 1)
