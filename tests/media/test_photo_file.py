import struct
import zlib

import numpy as np
import pytest
from photo_files import ICC, REFUSED, exif, write_photo
from PIL import Image, ImageOps, PngImagePlugin
from scenes import scene

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.photo import photo_of, read_photo_file
from sr_deepfake.system.errors import UserError


@pytest.fixture(scope="module")
def picture():
    return scene(("030", 10, 5, 60), height=70, width=96)


@pytest.mark.parametrize(("suffix", "mode", "words"), REFUSED)
def test_other_kinds_are_refused_by_name(tmp_path, picture, suffix, mode, words):
    path = write_photo(tmp_path / f"a.{suffix}", mode, picture)
    with pytest.raises(UserError, match=rf"a\.{suffix}: not supported: .*{words}"):
        read_photo_file(path)


def test_a_tiff_of_separate_planes_is_refused(tmp_path, picture):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tiff", picture.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    with pytest.raises(UserError, match="separate planes"):
        read_photo_file(tmp_path / "a.tiff")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright_and_faces_with_them(tmp_path, picture, suffix, orientation):
    path = tmp_path / f"a.{suffix}"
    block = Image.Exif()
    block[274] = orientation
    Image.fromarray(picture).save(path, exif=block, **({"lossless": True} if suffix == "webp" else {}))
    with Image.open(path) as image:
        expected = np.array(ImageOps.exif_transpose(image))
    photo = read_photo_file(path)
    np.testing.assert_array_equal(photo.rgb(), expected)

    before = photo.pixels.copy()
    photo.put(Crop(3, 5, 24), np.full((24, 24, 3), 7, np.uint8))
    expected[5:29, 3:27] = 7
    np.testing.assert_array_equal(photo.rgb(), expected)
    assert (before != photo.pixels).any(axis=2).sum() <= 24 * 24


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_transparent_colour_becomes_alpha(tmp_path, mode):
    image = Image.new("RGB", (30, 20), (200, 200, 200))
    image.putpixel((0, 0), (9, 9, 9))
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    image.save(tmp_path / "a.png", transparency=image.getpixel((0, 0)))
    photo = read_photo_file(tmp_path / "a.png")
    assert photo.mode == ("LA" if mode == "L" else "RGBA")
    assert photo.pixels[0, :2, -1].tolist() == [0, 255]


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp", "jpg"])
def test_a_truncated_photo_is_named(tmp_path, picture, suffix):
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(picture).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"cut\.{suffix}: unreadable: damaged or cut short"):
        read_photo_file(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = (50_000).to_bytes(4, "big") * 2  # width and height
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(UserError, match=r"at most 120,000,000 are read \(photo\.max_pixels=N raises"):
        read_photo_file(tmp_path / "bomb.png")


def test_the_limit_of_pixels_is_the_callers_alone(tmp_path, picture, monkeypatch):
    Image.fromarray(picture).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_photo_file(tmp_path / "a.png", max_pixels=picture[:, :, 0].size).rgb().shape == picture.shape
    assert Image.MAX_IMAGE_PIXELS == 100


def test_files_of_several_pictures_are_refused(tmp_path, picture):
    images = [Image.fromarray(picture), Image.fromarray(255 - picture)]
    for name in ("a.png", "a.webp", "a.tiff"):
        images[0].save(tmp_path / name, save_all=True, append_images=images[1:])
        with pytest.raises(UserError, match=f"{name}: not supported: 2 pictures in one file"):
            read_photo_file(tmp_path / name)


def test_a_profile_of_more_than_a_megabyte_is_no_damage(tmp_path, picture):
    profile = ICC + np.random.default_rng(0).bytes(2**21)
    Image.fromarray(picture).save(tmp_path / "a.png", icc_profile=profile)
    assert read_photo_file(tmp_path / "a.png").options["icc_profile"] == profile


@pytest.mark.parametrize("mode", ["L", "LA", "P", "PA", "RGB", "RGBA"])
def test_a_picture_of_pillows_is_a_photo(picture, mode):
    image = Image.fromarray(picture)
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    np.testing.assert_array_equal(photo_of(image).rgb(), np.array(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["1", "CMYK", "YCbCr", "I", "F"])
def test_a_picture_of_another_mode_is_refused(mode):
    with pytest.raises(UserError, match=f"mode {mode} are not supported"):
        photo_of(Image.new(mode, (4, 3)))


def test_a_broken_orientation_is_none(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png", exif=exif(77))
    np.testing.assert_array_equal(read_photo_file(tmp_path / "a.png").pixels, picture)


def test_texts_of_a_png_are_dropped_and_said(tmp_path):
    """ImageMagick's way to keep EXIF; it may hold the thumbnail of the old face."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "exif 12 00")
    info.add_text("Comment", "mine")
    Image.new("RGB", (48, 48)).save(tmp_path / "a.png", pnginfo=info)
    photo = read_photo_file(tmp_path / "a.png")
    assert photo.dropped == ["the text 'Comment'", "the text 'Raw profile type exif'"]


def test_colours_of_a_png_that_are_not_kept_are_said(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100_000))
    info.add(b"cHRM", struct.pack(">8I", *range(8)))
    for options, dropped in (({}, ["chromaticity", "gamma"]), ({"icc_profile": ICC}, [])):  # which overrides them
        Image.new("RGB", (48, 48)).save(tmp_path / "a.png", pnginfo=info, **options)
        assert read_photo_file(tmp_path / "a.png").dropped == dropped
