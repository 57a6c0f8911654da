import gc

import av
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import Orientation, upright
from sr_deepfake.media.faces import cut

# Of EXIF, by its number.
OF_EXIF = {
    1: Orientation(), 2: Orientation(columns=True), 3: Orientation(rows=True, columns=True), 4: Orientation(rows=True),
    5: Orientation(transposed=True), 6: Orientation(transposed=True, columns=True),
    7: Orientation(transposed=True, rows=True, columns=True), 8: Orientation(transposed=True, rows=True),
}  # fmt: skip
ALL = st.sampled_from(sorted(OF_EXIF))


@given(number=ALL, height=st.integers(1, 9), width=st.integers(1, 9))
def test_pixels_are_turned_as_pillow_turns_them(number, height, width):
    stored = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    picture = Image.fromarray(stored)
    exif = picture.getexif()
    exif[274] = number
    picture.info["exif"] = exif.tobytes()
    shown = OF_EXIF[number].upright(stored)
    np.testing.assert_array_equal(shown, np.array(ImageOps.exif_transpose(picture)))
    np.testing.assert_array_equal(OF_EXIF[number].stored(shown), stored)


@given(
    number=ALL, height=st.integers(24, 40), width=st.integers(24, 40), place=st.tuples(st.floats(0, 1), st.floats(0, 1))
)
def test_a_square_of_the_upright_picture_is_found_in_the_stored_one(number, height, width, place):
    orientation = OF_EXIF[number]
    stored = np.arange(height * width).reshape(height, width)
    shown = orientation.upright(stored)
    crop = Crop(round(place[0] * (shown.shape[1] - 24)), round(place[1] * (shown.shape[0] - 24)), 24)
    square = orientation.stored_crop(crop, height, width)
    np.testing.assert_array_equal(orientation.upright(cut(stored, square)), cut(shown, crop))


def test_words_tell_the_turns_and_the_mirror():
    turns, mirrored = [0, 0, 180, 180, 90, 270, 270, 90], (2, 4, 5, 7)
    expected = [f"turned by {turn}°{' and mirrored' * (n in mirrored)}" for n, turn in enumerate(turns, start=1)]
    assert [str(OF_EXIF[number]) for number in range(1, 9)] == expected


def test_a_frame_is_freed_at_once():
    def frames() -> int:
        return sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())

    gc.collect()
    before = frames()
    gc.disable()
    try:
        upright(av.VideoFrame(64, 48, "yuv420p"))
        assert frames() == before
    finally:
        gc.enable()
