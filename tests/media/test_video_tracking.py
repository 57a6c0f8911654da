from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.video.pipeline import between, overlap

HEIGHT, WIDTH = 240, 320


@st.composite
def squares(draw):
    found = []
    for _ in range(draw(st.integers(0, 4))):
        side = 24 * draw(st.integers(1, 6))
        found.append(Crop(draw(st.integers(0, WIDTH - side)), draw(st.integers(0, HEIGHT - side)), side))
    return found


@given(squares(), squares(), st.floats(0.01, 0.99))
def test_squares_lie_inside_in_steps_of_24_largest_first(first, second, place):
    found = between(first, second, place, HEIGHT, WIDTH)
    assert len(found) <= len(first) + len(second)
    assert [crop.side for crop in found] == sorted((crop.side for crop in found), reverse=True)
    for crop in found:
        assert crop.side % 24 == 0
        assert 0 <= crop.left <= WIDTH - crop.side
        assert 0 <= crop.top <= HEIGHT - crop.side


@given(squares(), st.floats(0, 1))
def test_faces_that_do_not_move_stay(first, place):
    assert between(first, first, place, HEIGHT, WIDTH) == sorted(
        first, key=lambda c: (-c.side, c.top, c.left)
    )


def test_a_face_moves_evenly_and_grows_in_steps():
    first, second = [Crop(40, 40, 48)], [Crop(60, 30, 96)]
    found = [between(first, second, i / 4, HEIGHT, WIDTH)[0] for i in range(5)]
    assert [found[0]] == first
    assert [found[4]] == second
    assert [crop.side for crop in found] == [48, 48, 72, 96, 96]
    centres = [crop.left + crop.side / 2 for crop in found]
    assert all(abs(centre - (64 + 11 * i)) <= 0.5 for i, centre in enumerate(centres))


def test_faces_of_one_frame_only_last_half_way():
    first, second = [Crop(0, 0, 48)], [Crop(200, 100, 72)]
    assert [between(first, second, place, HEIGHT, WIDTH) for place in (0.25, 0.49, 0.5, 0.75)] == [
        first,
        first,
        second,
        second,
    ]
    assert between(first, [], 0.4, HEIGHT, WIDTH) == first
    assert between(first, [], 0.6, HEIGHT, WIDTH) == []


def test_the_better_overlap_is_the_same_face():
    left, right = Crop(0, 0, 48), Crop(36, 0, 48)
    moved = between([left, right], [Crop(10, 0, 48), Crop(46, 0, 48)], 0.5, HEIGHT, WIDTH)
    assert moved == [Crop(5, 0, 48), Crop(41, 0, 48)]
    assert overlap(left, right) == 12 / 84
