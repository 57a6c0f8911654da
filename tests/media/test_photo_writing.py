import io

import numpy as np
import pytest
from photo_files import EXIF_IFD, GPS_IFD, ICC, KINDS, MAKER, TAKEN, XMP, exif, metadata, stored, write_photo
from PIL import Image, ImageOps, JpegImagePlugin
from scenes import scene

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.colour import to_rgb
from sr_deepfake.media.photo_file import read_photo_file
from sr_deepfake.media.photo_writing import write_photo_file
from sr_deepfake.system.errors import UserError

SQUARE = Crop(24, 12, 48)


@pytest.fixture(scope="module")
def picture():
    return scene(("030", 10, 5, 60), height=70, width=96)


def inside(shape) -> np.ndarray:
    mask = np.zeros(shape[:2], bool)
    mask[SQUARE.top : SQUARE.top + SQUARE.side, SQUARE.left : SQUARE.left + SQUARE.side] = True
    return mask


@pytest.mark.parametrize(("suffix", "mode", "lossless"), KINDS)
def test_outside_the_face_nothing_changes_and_inside_is_the_face(tmp_path, picture, suffix, mode, lossless):
    path = write_photo(tmp_path / f"a.{suffix}", mode, picture)
    before = read_photo_file(path)
    photo = read_photo_file(path)
    face = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    face = face if lossless else picture[:48, :48]
    photo.put(SQUARE, face)
    write_photo_file(photo, tmp_path / f"out.{suffix}")
    pixels, mask = stored(tmp_path / f"out.{suffix}"), inside(picture.shape)
    if not lossless:
        close = np.abs(pixels.astype(int) - photo.pixels)
        assert close.mean() < 4
        return
    np.testing.assert_array_equal(pixels[~mask], before.pixels[~mask])
    assert pixels.dtype == before.pixels.dtype
    shown = to_rgb(pixels, photo.mode)[mask].reshape(48, 48, 3)
    if photo.mode in ("L", "LA"):
        face = np.repeat(np.array(Image.fromarray(face).convert("L"))[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(shown, face)
    if photo.mode in ("LA", "RGBA"):
        np.testing.assert_array_equal(pixels[:, :, -1], before.pixels[:, :, -1])


def told(path) -> dict:
    with Image.open(path) as image:
        info, block = dict(image.info), image.getexif()
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
        return {
            "exif": (
                block.get(274), block.get(MAKER), block.get_ifd(EXIF_IFD).get(TAKEN), block.get_ifd(GPS_IFD).get(1)
            ),
            "icc": info.get("icc_profile"),
            "xmp": xmp.encode() if isinstance(xmp, str) else xmp,
            "dpi": tuple(round(float(value)) for value in info["dpi"]) if "dpi" in info else None,
        }  # fmt: skip


ALL = {"exif": (6, "maker", "2020:01:01 00:00:00", "N"), "icc": ICC, "xmp": XMP, "dpi": (300, 300)}


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [
        ("jpg", "RGB"),
        ("jpg", "CMYK"),
        ("png", "RGBA"),
        ("png", "P"),
        ("webp", "RGB"),
        ("tiff", "RGB"),
        ("tiff", "CMYK"),
    ],
)
def test_what_stands_beside_the_pixels_is_kept(tmp_path, picture, suffix, mode):
    path = write_photo(tmp_path / f"a.{suffix}", mode, picture, orientation=6)
    write_photo_file(read_photo_file(path), tmp_path / f"out.{suffix}")
    expected = ALL | ({"dpi": None} if suffix == "webp" else {})
    assert told(path) == expected
    assert told(tmp_path / f"out.{suffix}") == expected
    if suffix == "png":
        with Image.open(tmp_path / "out.png") as image:
            assert image.text["Author"] == "me & you"


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tiff", "bmp"])
@pytest.mark.parametrize("source", ["jpg", "png", "webp", "tiff"])
def test_another_format_keeps_what_it_can(tmp_path, picture, source, target):
    path = write_photo(tmp_path / f"a.{source}", "RGB", picture, orientation=6)
    photo = read_photo_file(path)
    write_photo_file(photo, tmp_path / f"out.{target}")
    with Image.open(tmp_path / f"out.{target}") as image:
        shown = np.array(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    assert shown.shape == (96, 70, 3)  # upright, in every way to say so
    assert np.abs(shown - photo.rgb()).max() <= (0 if target in ("png", "tiff", "bmp") else 60)
    if target != "bmp":
        found = told(tmp_path / f"out.{target}")
        assert found | {"dpi": None} == ALL | {"dpi": None}
        if "webp" not in (source, target):  # which has no density
            assert found["dpi"] == (300, 300)


def test_sixteen_bits_keep_their_metadata(tmp_path, picture):
    deep = np.ascontiguousarray(picture[:, :, 0].astype(np.uint16) * 256 + 3)
    for suffix in ("png", "tiff"):
        options = metadata(suffix, 6)
        Image.fromarray(deep).save(tmp_path / f"a.{suffix}", **options)
        write_photo_file(read_photo_file(tmp_path / f"a.{suffix}"), tmp_path / f"out.{suffix}")
        assert told(tmp_path / f"out.{suffix}") == ALL
        np.testing.assert_array_equal(read_photo_file(tmp_path / f"out.{suffix}").pixels[:, :, 0], deep)


@pytest.mark.parametrize(("subsampling", "number"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
@pytest.mark.parametrize("progressive", [True, False])
def test_jpeg_keeps_its_chroma_and_is_not_coarser_than_95(
    tmp_path, picture, subsampling, number, progressive
):
    for quality in (60, 95, 100):
        image = Image.fromarray(picture)
        options = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
        image.save(tmp_path / "a.jpg", **options)
        write_photo_file(read_photo_file(tmp_path / "a.jpg"), tmp_path / "out.jpg")
        image.save(tmp_path / "reference.jpg", quality=max(quality, 95))
        with Image.open(tmp_path / "out.jpg") as out, Image.open(tmp_path / "reference.jpg") as reference:
            assert JpegImagePlugin.get_sampling(out) == number
            assert out.quantization == reference.quantization
            assert ("progressive" in out.info) == progressive


def test_jpeg_comments_and_unknown_segments_are_kept(tmp_path, picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", comment=b"who is it", exif=exif())
    app13 = b"\xff\xed\x00\x10Photoshop 3.0\0"
    data = buffer.getvalue()
    (tmp_path / "a.jpg").write_bytes(data[:2] + app13 + data[2:])
    write_photo_file(read_photo_file(tmp_path / "a.jpg"), tmp_path / "out.jpg")
    written = (tmp_path / "out.jpg").read_bytes()
    assert app13 in written
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.info["comment"] == b"who is it"


def test_lossy_webp_stays_close_and_lossless_is_exact(tmp_path, picture):
    for lossless in (True, False):
        Image.fromarray(picture).save(tmp_path / "a.webp", lossless=lossless, quality=80)
        photo = read_photo_file(tmp_path / "a.webp")
        write_photo_file(photo, tmp_path / "out.webp")
        again = read_photo_file(tmp_path / "out.webp")
        assert (again.lossless, np.array_equal(again.pixels, photo.pixels)) == (lossless, lossless)


def test_a_tiff_file_keeps_whether_it_is_compressed(tmp_path, picture):
    for compression in ("raw", "tiff_lzw"):
        Image.fromarray(picture).save(tmp_path / "a.tiff", compression=compression)
        write_photo_file(read_photo_file(tmp_path / "a.tiff"), tmp_path / "out.tiff")
        with Image.open(tmp_path / "out.tiff") as out:
            assert (out.info["compression"] == "raw") == (compression == "raw")


@pytest.mark.parametrize(
    ("mode", "suffix", "target", "formats"),
    [
        ("RGBA", "png", "jpg", "BMP, PNG, TIFF, WEBP"),
        ("RGB;16", "png", "jpg", "PNG, TIFF"),
        ("CMYK", "jpg", "png", "JPEG, TIFF"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, picture, mode, suffix, target, formats):
    photo = read_photo_file(write_photo(tmp_path / f"a.{suffix}", mode, picture))
    with pytest.raises(UserError, match=rf"out\.{target}: .* formats {formats}$"):
        write_photo_file(photo, tmp_path / f"out.{target}")
    assert not (tmp_path / f"out.{target}").exists()


def test_without_a_suffix_the_format_is_the_photos_own(tmp_path, picture):
    photo = read_photo_file(write_photo(tmp_path / "a.png", "RGB", picture))
    write_photo_file(photo, tmp_path / "attacked")
    with Image.open(tmp_path / "attacked") as image:
        assert image.format == "PNG"


def test_a_failed_writing_leaves_what_was_there(tmp_path, picture, monkeypatch):
    photo = read_photo_file(write_photo(tmp_path / "a.png", "RGB", picture))
    (tmp_path / "out.png").write_text("earlier")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_photo_file(photo, tmp_path / "out.png")
    assert (tmp_path / "out.png").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "out.png"]
