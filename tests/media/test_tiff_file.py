import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from sr_deepfake.media.colour import CHANNELS
from sr_deepfake.media.tiff_file import Tags, tiff_bytes, with_stored_order


@given(st.sampled_from(sorted(CHANNELS)), st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_pillow_reads_what_was_written(mode, height, width, compressed):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, CHANNELS[mode]), dtype=np.uint8)
    kept = pixels.copy()
    data = tiff_bytes(pixels, mode, Tags({270: "größe", 256: 7, 273: 9}), compressed)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.array(image).reshape(pixels.shape), pixels)
        assert image.tag_v2[270] == "größe"
    np.testing.assert_array_equal(pixels, kept)


def test_wrong_channels_are_errors():
    with pytest.raises(ValueError, match="RGB has 3 channels"):
        tiff_bytes(np.zeros((2, 2, 4), np.uint8), "RGB", Tags({}))


@pytest.mark.parametrize(("prefix", "big"), [(b"II", False), (b"II", True), (b"MM", False)])
@pytest.mark.parametrize("orientation", [3, 6])
def test_the_orientation_is_taken_out(prefix, big, orientation):
    buffer = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=prefix)
    tags[274] = orientation
    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    if prefix == b"MM":
        ifd = TiffImagePlugin.ImageFileDirectory_v2(b"MM\0\x2a\0\0\0\x08")
        for tag, value in {
            256: 6,
            257: 4,
            258: 8,
            259: 1,
            262: 1,
            273: 0,
            274: orientation,
            277: 1,
            279: 24,
        }.items():
            ifd[tag] = value
        ifd.tagtype[273] = 4
        buffer.write(b"MM\0\x2a\0\0\0\x08" + ifd.tobytes(8) + bytes(range(24)))
    else:
        picture.save(buffer, "TIFF", tiffinfo=tags, big_tiff=big)
    data, found = with_stored_order(buffer.getvalue())
    assert found == orientation
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.array(image), np.array(picture))
    assert with_stored_order(data)[1] == 1


@pytest.mark.parametrize(
    "data", [b"", b"II", b"II*\0\xff\xff\xff\x7f" + bytes(20), b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_other_data_are_left_as_they_are(data):
    assert with_stored_order(data) == (data, None)
