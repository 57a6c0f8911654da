import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sr_deepfake.data.extraction import photo
from sr_deepfake.data.extraction.photo import PHOTO_SUFFIXES, is_photo, read_photo
from sr_deepfake.data.extraction.video import VideoError


def picture(height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth picture whose quarters differ, so that compression keeps it and a turn shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 255 / height, columns * 255 / width, 255 - rows * 255 / height], 2).astype(
        np.uint8
    )


def save(path: Path, image: np.ndarray, **options) -> Path:
    Image.fromarray(image).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
def test_every_suffix_is_read(tmp_path, suffix):
    drawn = read_photo(save(tmp_path / f"a{suffix}", picture()))
    assert (drawn.indices, drawn.n_frames) == ([0], 1)
    assert drawn.images[0].dtype == np.uint8
    assert drawn.images[0].shape == (40, 60, 3)
    assert np.abs(drawn.images[0].astype(int) - picture()).mean() < 4
    assert is_photo(tmp_path / f"a{suffix.upper()}")


def test_a_photo_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    drawn = read_photo(save(tmp_path / "a.png", picture(), exif=exif))
    np.testing.assert_array_equal(drawn.images[0], np.rot90(picture(), k=-1))


def test_sixteen_bits_lose_the_lower_eight(tmp_path):
    grey = (np.arange(32 * 32).reshape(32, 32) * 64).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    np.testing.assert_array_equal(read_photo(tmp_path / "grey.png").images[0][:, :, 1], grey >> 8)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_other_kinds_of_pixels_become_rgb(tmp_path, mode):
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(picture()).convert(mode).save(tmp_path / f"a.{suffix}")
    assert read_photo(tmp_path / f"a.{suffix}").images[0].shape == (40, 60, 3)


def cut(path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        buffer, path.suffix[1:]
    )
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
        ("float.tif", lambda path: Image.fromarray(np.ones((9, 9), np.float32)).save(path), "unreadable"),
    ],
)
def test_damage_is_told(tmp_path, name, make, reason):
    make(tmp_path / name)
    with pytest.raises(VideoError) as told:
        read_photo(tmp_path / name)
    assert told.value.reason == reason
    assert "\n" not in told.value.detail


def test_a_photo_that_is_too_large_is_not_decoded(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", picture())
    monkeypatch.setattr(photo, "MAX_PIXELS", 40 * 60)
    read_photo(path)
    monkeypatch.setattr(photo, "MAX_PIXELS", 40 * 60 - 1)
    with pytest.raises(VideoError, match=r"too large: 60×40 px; at most 2,399 pixels"):
        read_photo(path)
