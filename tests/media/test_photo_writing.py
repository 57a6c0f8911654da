import io
import itertools
import struct

import cv2
import numpy as np
import pytest
from photo_files import EXIF_IFD, GPS_IFD, ICC, KINDS, MAKER, TAKEN, XMP, exif, stored, write_photo
from PIL import Image, ImageOps, JpegImagePlugin
from scenes import scene

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import cut
from sr_deepfake.media.photo import photo_of, read_photo_file, write_photo_file
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
def test_every_kind_is_read_and_but_for_the_face_written_as_it_is_stored(tmp_path, picture, suffix, mode, lossless):
    path, out = write_photo(tmp_path / f"a.{suffix}", mode, picture), tmp_path / f"out.{suffix}"
    photo, before = read_photo_file(path), stored(path)
    np.testing.assert_array_equal(photo.pixels, before)
    with Image.open(path) as image:
        np.testing.assert_array_equal(photo.rgb(), np.array(image.convert("RGB")))
    face = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8) if lossless else picture[:48, :48]
    photo.put(SQUARE, face)
    write_photo_file(photo, out)
    again, pixels, mask = read_photo_file(out), stored(out), inside(picture.shape)
    assert photo.lossless == again.lossless == lossless
    if not lossless:
        assert np.abs(pixels.astype(int) - photo.pixels).mean() < 5
        return
    np.testing.assert_array_equal(pixels[~mask], before[~mask])
    assert pixels.dtype == before.dtype
    if photo.mode in ("L", "LA"):
        face = np.repeat(np.array(Image.fromarray(face).convert("L"))[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(cut(again.rgb(), SQUARE), face)
    if photo.mode in ("LA", "RGBA"):
        np.testing.assert_array_equal(pixels[:, :, -1], before[:, :, -1])


def metadata_of(path) -> dict:
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
    ("source", "mode", "target"),
    [
        *itertools.product(["jpg", "png", "webp", "tiff"], ["RGB"], ["jpg", "png", "webp", "tiff", "bmp"]),
        ("png", "RGBA", "png"),
        ("png", "P", "png"),
    ],
)
def test_metadata_is_kept_as_far_as_a_format_can(tmp_path, picture, source, mode, target):
    path = write_photo(tmp_path / f"a.{source}", mode, picture, orientation=6)
    assert metadata_of(path) == ALL | ({"dpi": None} if source == "webp" else {})
    photo = read_photo_file(path)
    write_photo_file(photo, tmp_path / f"out.{target}")
    with Image.open(tmp_path / f"out.{target}") as image:
        shown = np.array(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    assert shown.shape == (96, 70, 3)  # upright, in every way to say so
    assert np.abs(shown - photo.rgb()).max() <= (0 if target in ("png", "tiff", "bmp") else 60)
    if target != "bmp":
        found = metadata_of(tmp_path / f"out.{target}")
        density = {"webp": None}.get(target, (300, 300))  # WebP has none
        expected = ALL | {"exif": (None, *ALL["exif"][1:]), "dpi": density}
        assert found == expected | ({"dpi": found["dpi"]} if source == "webp" else {})


ATTRIBUTE = b"<rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation=%s tiff:Make='m'/>"
ELEMENT = b"<rdf:Description xmlns:tiff='t'><tiff:Orientation>6</tiff:Orientation></rdf:Description>"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("said", [ATTRIBUTE % b'"6"', ATTRIBUTE % b"'6'", ELEMENT], ids=range(3))
def test_the_orientation_in_xmp_turns_nothing_twice(tmp_path, monkeypatch, picture, suffix, orientation, said):
    monkeypatch.setattr("photo_files.XMP", XMP.replace(b"<about>", said + b"<about>"))
    path = write_photo(tmp_path / f"a.{suffix}", "RGB", picture, orientation)
    before, (_, out, content) = read_photo_file(path).rgb(), rewritten(path)
    after = np.array(ImageOps.exif_transpose(out).convert("RGB"))
    assert after.shape == before.shape == ((70, 96, 3) if orientation == 1 else (96, 70, 3))
    assert np.abs(after.astype(int) - before).max() <= 60
    assert b"<about>" in content
    assert b"Orientation" not in content


def rewritten(path) -> tuple[list[str], Image.Image, bytes]:
    """What is dropped of a photo, and what is written of it: as Pillow opens it, and its bytes."""
    photo, out = read_photo_file(path), path.with_name(f"out{path.suffix}")
    write_photo_file(photo, out)
    content = out.read_bytes()
    return photo.dropped, Image.open(io.BytesIO(content)), content


@pytest.mark.parametrize(("subsampling", "number"), [("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)])
@pytest.mark.parametrize("progressive", [True, False])
def test_jpeg_keeps_its_chroma_and_quantisation(tmp_path, picture, subsampling, number, progressive):
    for quality in (60, 95, 100):
        options = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
        Image.fromarray(picture).save(tmp_path / "a.jpg", **options)
        _, out, _ = rewritten(tmp_path / "a.jpg")
        with Image.open(tmp_path / "a.jpg") as source:
            assert out.quantization == source.quantization
        assert JpegImagePlugin.get_sampling(out) == number
        assert ("progressive" in out.info) == progressive


def test_jpegs_of_rgb_stay_so_and_another_subsampling_is_said(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=90, keep_rgb=True)
    dropped, out, _ = rewritten(tmp_path / "a.jpg")
    assert (dropped, [layer[0] for layer in out.layer]) == ([], [*b"RGB"])
    assert np.abs(np.array(out).astype(int) - picture).max() <= 20
    data = bytearray((tmp_path / "a.jpg").read_bytes())
    data[data.index(b"\x03R\x11") + 2] = 0x12  # a red of twice the rows
    (tmp_path / "b.jpg").write_bytes(data)
    cv2.imwrite(
        str(tmp_path / "c.jpg"), picture, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440]
    )
    for name, rgb in (("b.jpg", True), ("c.jpg", False)):
        dropped, out, _ = rewritten(tmp_path / name)
        assert dropped == ["the chroma subsampling (a JPEG becomes 4:4:4)"]
        assert (JpegImagePlugin.get_sampling(out), out.layer[0][0] == ord("R")) == (0, rgb)


def test_metadata_that_is_not_listed_is_dropped_and_said(tmp_path, picture):
    """Such as Photoshop's layers (TIFF tag 37724) and thumbnail (34377), which hold the face as it was."""
    Image.fromarray(picture).save(tmp_path / "a.jpg", "JPEG", comment=b"who is it", exif=exif())
    dropped, out, _ = rewritten(tmp_path / "a.jpg")
    assert dropped == ["comment"]
    assert "comment" not in out.info
    block = Image.Exif()
    block[34377], block[37724], block[305] = b"8BIM thumbnail", b"Adobe Photoshop layers", "a program"
    Image.fromarray(picture).save(tmp_path / "a.tiff", exif=block)
    dropped, out, content = rewritten(tmp_path / "a.tiff")
    assert dropped == ["ImageResources", "EXIF tag 37724"]
    assert [out.getexif().get(tag) for tag in (34377, 37724, 305)] == [None, None, "a program"]
    assert b"8BIM" not in content
    assert b"Photoshop" not in content


def test_a_tiff_without_a_resolution_has_none_afterwards(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.tiff")
    _, out, _ = rewritten(tmp_path / "a.tiff")
    assert out.getexif().keys().isdisjoint({282, 283, 296})


def with_thumbnail(picture) -> bytes:
    """An EXIF block whose second directory holds a small picture, as cameras write it."""
    buffer = io.BytesIO()
    Image.fromarray(picture).resize((24, 18)).save(buffer, "JPEG")
    small = buffer.getvalue()
    first = struct.pack("<HHHLLL", 1, 256, 4, 1, 96, 26)  # entries; tag, type, count, value of each; next directory
    second = struct.pack("<HHHLLHHLLL", 2, 513, 4, 1, 56, 514, 4, 1, len(small), 0)
    return b"Exif\0\0II*\0" + struct.pack("<L", 8) + first + second + small


def test_what_would_show_the_old_face_is_dropped_and_said(tmp_path, picture):
    path = tmp_path / "a.jpg"
    xmp = XMP.replace(b"</x", b"<xmp:Thumbnails>" + b"A" * 99 + b"</xmp:Thumbnails></x")
    Image.fromarray(picture).save(path, exif=with_thumbnail(picture), xmp=xmp)
    clip = b"\0\0\0\x18ftypmp42" + b"m" * 500
    path.write_bytes(path.read_bytes() + clip)
    dropped, _, content = rewritten(path)
    assert dropped == [
        "the thumbnail",
        "the XMP packet, which holds or points to pictures",
        "the clip at the file's end",
    ]
    assert content.count(b"\xff\xd8\xff") == 1  # one picture
    assert b"ftyp" not in content
    assert b"Thumbnails" not in content
    assert read_photo_file(tmp_path / "out.jpg").dropped == []


def test_further_pictures_of_a_jpeg_are_dropped_and_said(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(picture)])
    dropped, out, _ = rewritten(tmp_path / "a.jpg")
    assert dropped == ["further pictures in the file (a gain map or depth map)"]
    assert (out.format, getattr(out, "n_frames", 1)) == ("JPEG", 1)


def test_without_a_suffix_the_format_is_the_photos_own(tmp_path, picture):
    photo = read_photo_file(write_photo(tmp_path / "a.png", "RGB", picture))
    write_photo_file(photo, tmp_path / "attacked")
    assert read_photo_file(tmp_path / "attacked").format == "PNG"


@pytest.mark.parametrize(
    ("mode", "target", "message"),
    [
        ("RGBA", "out.jpg", r"out\.jpg: JPEG cannot hold transparency; use PNG, TIFF or WEBP"),
        ("LA", "out.bmp", r"out\.bmp: BMP cannot hold transparency"),
        ("RGB", "out.gif", r"photos are not written as \.gif; use one of \.bmp, \.jfif, \.jpe, \.jpeg"),
        ("RGB", "out.txt", r"photos are not written as \.txt"),
        ("RGB", "out.heic", r"photos are not written as \.heic"),
        (None, "attacked", "use one of"),  # of no file: it has no format of its own
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, picture, mode, target, message):
    photo = photo_of(Image.fromarray(picture))
    if mode is not None:
        photo = read_photo_file(write_photo(tmp_path / "a.png", mode, picture))
    with pytest.raises(UserError, match=message):
        write_photo_file(photo, tmp_path / target)
    assert not (tmp_path / target).exists()
