import threading

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import FoundFaces
from sr_deepfake.media.video import pipeline as video_pipeline
from sr_deepfake.media.video.pipeline import (
    Background,
    FrameFaces,
    attack_found,
    between,
    find_faces,
    in_batches,
    overlap,
)


def test_results_come_in_their_order_from_another_thread():
    threads = set()

    def numbers():
        for i in range(200):
            threads.add(threading.get_ident())
            yield i

    with Background(numbers(), ahead=3) as background:
        assert list(background) == list(range(200))
        assert list(background) == []  # and stays at its end
    assert threads
    assert threading.get_ident() not in threads


def test_no_more_results_wait_than_are_asked_for():
    made = []

    def numbers():
        for i in range(100):
            made.append(i)
            yield i

    with Background(numbers(), ahead=2) as background:
        for i in background:
            # taken are i + 1, 2 wait, 1 is in the thread's hand
            assert len(made) <= i + 4


def test_an_error_is_raised_after_what_came_before_it():
    def numbers():
        yield 1
        raise KeyError("broken")

    with Background(Background(numbers()).__enter__()) as background:
        assert next(background) == 1
        for _ in range(2):
            with pytest.raises(KeyError, match="broken"):
                next(background)


def test_leaving_ends_all_threads_of_a_chain():
    before = threading.active_count()
    with Background(iter(int, 1)) as first, Background(first) as second:
        assert [next(second) for _ in range(3)] == [0, 0, 0]
        assert threading.active_count() == before + 2
    assert threading.active_count() == before


def test_ahead_must_be_at_least_one():
    with pytest.raises(ValueError, match="ahead must be at least 1"):
        Background([], ahead=0)


FRAME_HEIGHT, FRAME_WIDTH = 240, 320


@st.composite
def squares(draw):
    found = []
    for _ in range(draw(st.integers(0, 4))):
        side = 24 * draw(st.integers(1, 6))
        found.append(Crop(draw(st.integers(0, FRAME_WIDTH - side)), draw(st.integers(0, FRAME_HEIGHT - side)), side))
    return found


@given(squares(), squares(), st.floats(0.01, 0.99))
def test_squares_lie_inside_in_steps_of_24_largest_first(first, second, place):
    found = between(first, second, place, FRAME_HEIGHT, FRAME_WIDTH)
    assert len(found) <= len(first) + len(second)
    assert [crop.side for crop in found] == sorted((crop.side for crop in found), reverse=True)
    for crop in found:
        assert crop.side % 24 == 0
        assert 0 <= crop.left <= FRAME_WIDTH - crop.side
        assert 0 <= crop.top <= FRAME_HEIGHT - crop.side


@given(squares(), st.floats(0, 1))
def test_faces_that_do_not_move_stay(first, place):
    assert between(first, first, place, FRAME_HEIGHT, FRAME_WIDTH) == sorted(
        first, key=lambda c: (-c.side, c.top, c.left)
    )


def test_a_face_moves_evenly_and_grows_in_steps():
    first, second = [Crop(40, 40, 48)], [Crop(60, 30, 96)]
    found = [between(first, second, i / 4, FRAME_HEIGHT, FRAME_WIDTH)[0] for i in range(5)]
    assert [found[0]] == first
    assert [found[4]] == second
    assert [crop.side for crop in found] == [48, 48, 72, 96, 96]
    centres = [crop.left + crop.side / 2 for crop in found]
    assert all(abs(centre - (64 + 11 * i)) <= 0.5 for i, centre in enumerate(centres))


def test_faces_of_one_frame_only_last_half_way():
    first, second = [Crop(0, 0, 48)], [Crop(200, 100, 72)]
    assert [between(first, second, place, FRAME_HEIGHT, FRAME_WIDTH) for place in (0.25, 0.49, 0.5, 0.75)] == [
        first,
        first,
        second,
        second,
    ]
    assert between(first, [], 0.4, FRAME_HEIGHT, FRAME_WIDTH) == first
    assert between(first, [], 0.6, FRAME_HEIGHT, FRAME_WIDTH) == []


def test_the_better_overlap_is_the_same_face():
    left, right = Crop(0, 0, 48), Crop(36, 0, 48)
    moved = between([left, right], [Crop(10, 0, 48), Crop(46, 0, 48)], 0.5, FRAME_HEIGHT, FRAME_WIDTH)
    assert moved == [Crop(5, 0, 48), Crop(41, 0, 48)]
    assert overlap(left, right) == 12 / 84


HEIGHT, WIDTH = 48, 96


def moving(frames):
    """Finds one face, whose place the frame's brightness tells."""
    return [FoundFaces([Crop(int(frame[0, 0, 0]), 4, 24)], too_small=1) for frame in frames]


def items(count: int, packets_after: tuple[int, ...] = ()):
    for i in range(count):
        yield av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 2 * i, np.uint8), format="rgb24")
        if i in packets_after:
            yield av.Packet(b"%d" % i)


def test_batches_keep_the_order_and_are_bounded(monkeypatch):
    batches = list(in_batches(items(7, (0, 3, 6)), 3))
    assert [sum(isinstance(item, FrameFaces) for item in batch) for batch in batches] == [3, 3, 1]
    flat = [item.index if isinstance(item, FrameFaces) else bytes(item) for batch in batches for item in batch]
    assert flat == [0, b"0", 1, 2, 3, b"3", 4, 5, 6, b"6"]
    monkeypatch.setattr(video_pipeline, "BATCH_PIXELS", 2 * HEIGHT * WIDTH)
    assert [len(batch) for batch in in_batches(items(5), 3)] == [2, 2, 1]
    monkeypatch.setattr(video_pipeline, "BATCH_PIXELS", 1)
    assert [len(batch) for batch in in_batches(items(2), 3)] == [1, 1]


@pytest.mark.parametrize("every", [1, 2, 3, 5, 8, 30])
@pytest.mark.parametrize("batch", [1, 4, 30])
@pytest.mark.parametrize("count", [1, 12, 13])
def test_faces_are_looked_for_in_every_nth_frame_and_the_last(every, batch, count):
    looked = []

    def find(frames):
        looked.extend(int(frame[0, 0, 0]) // 2 for frame in frames)
        return moving(frames)

    found = [item for part in find_faces(in_batches(items(count), batch), find, every) for item in part]
    keys = sorted({*range(0, count, every), count - 1})
    assert looked == keys
    assert [item.index for item in found] == list(range(count))
    for item in found:
        earlier = max(key for key in keys if key <= item.index)
        later = min(key for key in keys if key >= item.index)
        place = (item.index - earlier) / max(later - earlier, 1)
        wanted = between([Crop(2 * earlier, 4, 24)], [Crop(2 * later, 4, 24)], place, HEIGHT, WIDTH)
        assert item.found == FoundFaces(wanted, too_small=1)
        assert item.picture is None  # nothing holds the whole picture any longer
        assert [face.shape for face in item.before] == [(24, 24, 3)]
        assert (item.before[0] == 2 * item.index).all()


def test_no_more_frames_wait_than_the_next_key_frame_needs():
    taken = 0

    def counted():
        nonlocal taken
        for batch in in_batches(items(40), 1):
            taken += 1
            yield batch

    given = 0
    for batch in find_faces(counted(), moving, every=6):
        given += len(batch)
        assert taken - given <= 6


def test_faces_are_looked_for_in_a_bounded_number_of_pixels(monkeypatch):
    calls = []

    def find(frames):
        calls.append(len(frames))
        return moving(frames)

    monkeypatch.setattr(video_pipeline, "FIND_PIXELS", 3 * HEIGHT * WIDTH)
    (batch,) = find_faces(in_batches(items(8), 8), find)
    assert calls == [3, 3, 2]
    assert [item.before[0][0, 0, 0] for item in batch] == [2 * i for i in range(8)]


def test_faces_of_a_batch_are_attacked_together_and_given_back_to_their_frames():
    calls = []

    def attack(faces):
        calls.append(len(faces))
        return [face + 100 for face in faces]

    parts = list(attack_found(find_faces(in_batches(items(5, (1,)), 4), moving), attack))
    assert calls == [4, 1]
    frames = [item for part in parts for item in part if isinstance(item, FrameFaces)]
    assert [int(item.after[0][0, 0, 0]) for item in frames] == [100, 102, 104, 106, 108]


def test_packets_without_frames_pass():
    parts = list(find_faces(in_batches(iter([av.Packet(b"a")]), 4), moving, every=3))
    assert [bytes(item) for part in parts for item in part] == [b"a"]


@given(st.integers(24, 200), st.integers(24, 200), st.integers(1, 40), st.floats(0, 1))
def test_squares_in_between_obey_the_multiple(first, second, multiple, place):
    sides = [max(1, side // multiple) * multiple for side in (first, second)]
    squares = [Crop(20, 20, side) for side in sides]
    (found,) = between([squares[0]], [squares[1]], place, 400, 400, multiple)
    assert found.side % multiple == 0
    assert min(sides) <= found.side <= max(sides)
