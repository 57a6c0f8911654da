import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.extraction.cropping import Crop, square_crop

positions = st.floats(-200, 2200)
sizes = st.floats(1, 1500)
frames = st.integers(24, 2160)


@given(positions, positions, sizes, sizes, frames, frames, st.sampled_from([0.0, 0.1, 0.3]))
def test_crop_is_a_square_multiple_in_the_frame_and_holds_the_middle_of_a_face_that_is_in_it(
    left, top, width, height, frame_height, frame_width, margin
):
    crop = square_crop((left, top, left + width, top + height), frame_height, frame_width, margin)
    assert crop.side % 24 == 0
    assert crop.side >= 24
    assert 0 <= crop.left <= frame_width - crop.side
    assert 0 <= crop.top <= frame_height - crop.side
    x, y = left + width / 2, top + height / 2
    if 0 <= x <= frame_width and 0 <= y <= frame_height:
        assert crop.left - 0.5 <= x <= crop.left + crop.side + 0.5
        assert crop.top - 0.5 <= y <= crop.top + crop.side + 0.5


@given(sizes, sizes, st.floats(0, 0.5), st.sampled_from(["longer", "shorter"]))
def test_side_is_the_nearest_multiple_and_the_crop_centred_when_there_is_room(width, height, margin, square):
    wanted = (max if square == "longer" else min)(width, height) * (1 + 2 * margin)
    box = (5000 - width / 2, 5000 - height / 2, 5000 + width / 2, 5000 + height / 2)
    crop = square_crop(box, 10_000, 10_000, margin, square=square)
    assert abs(crop.side - wanted) <= 12 + 1e-6 or (crop.side == 24 and wanted < 24)
    assert abs(crop.left + crop.side / 2 - 5000) <= 0.5 + 1e-6
    assert abs(crop.top + crop.side / 2 - 5000) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("box", "height", "width", "crop"),
    [
        ((100, 100, 200, 220), 480, 640, Crop(78, 88, 144)),
        ((-50, -50, 70, 70), 480, 640, Crop(0, 0, 144)),
        ((600, 440, 720, 560), 480, 640, Crop(496, 336, 144)),
        ((0, 0, 640, 480), 480, 640, Crop(80, 0, 480)),
        ((0, 0, 600, 600), 100, 50, Crop(2, 52, 48)),  # larger than the frame: the largest multiple that fits
        ((10, 10, 12, 12), 480, 640, Crop(0, 0, 24)),
        ((0, 0, 20, 20), 23, 400, None),  # the frame is smaller than the multiple
    ],
)
def test_known_cases(box, height, width, crop):
    assert square_crop(box, height, width) == crop


@pytest.mark.parametrize(
    ("box", "options", "message"),
    [
        *((box, {}, "no area") for box in [(10, 10, 10, 20), (10, 10, 20, 5), (0, 0, float("nan"), 5)]),
        *(((0, 0, 10, 10), wrong, "margin must be at least 0") for wrong in [{"margin": -0.1}, {"multiple": 0}]),
    ],
)
def test_senseless_boxes_and_settings_are_errors(box, options, message):
    with pytest.raises(ValueError, match=message):
        square_crop(box, 100, 100, **options)
