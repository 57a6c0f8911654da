import pytest

from sr_deepfake.media.jpeg_segments import metadata_segments, with_segments

SOI, PIXELS = b"\xff\xd8", b"\xff\xda\0\x02the picture\xff\xd9"
JFIF, EXIF = b"\xff\xe0\0\x07JFIF\0", b"\xff\xe1\0\x08Exif\0\0"
MPF, ADOBE = b"\xff\xe2\0\x06MPF\0", b"\xff\xee\0\x07Adobe"
COMMENT, TABLE = b"\xff\xfe\0\x05who", b"\xff\xdb\0\x04ab"


def test_metadata_go_from_one_file_to_another():
    source = SOI + JFIF + EXIF + MPF + ADOBE + b"\xff" + COMMENT + TABLE + PIXELS  # a marker may be padded
    kept = metadata_segments(source)
    assert kept == [JFIF, EXIF, b"\xff" + COMMENT]
    encoded = SOI + JFIF + ADOBE + TABLE + PIXELS
    assert with_segments(encoded, kept) == SOI + JFIF + EXIF + b"\xff" + COMMENT + ADOBE + TABLE + PIXELS
    assert with_segments(encoded, []) == SOI + ADOBE + TABLE + PIXELS


def test_markers_among_the_pixels_are_none():
    assert metadata_segments(SOI + PIXELS + EXIF) == []


def test_other_data_are_refused():
    with pytest.raises(ValueError, match="no JPEG"):
        metadata_segments(b"\x89PNG")
