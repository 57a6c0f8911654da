import threading

import av
import numpy as np
import pytest

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import FoundFaces
from sr_deepfake.media.video import attack as video_attack
from sr_deepfake.media.video.attack import FrameFaces, attack_found, find_faces, in_background, in_batches


def test_results_come_in_their_order_from_another_thread():
    threads = set()

    def numbers():
        for i in range(200):
            threads.add(threading.get_ident())
            yield i

    assert list(in_background(numbers())) == list(range(200))
    assert threads
    assert threading.get_ident() not in threads


def test_one_result_is_made_ahead_and_no_more():
    made = []

    def numbers():
        for i in range(100):
            made.append(i)
            yield i

    for i in in_background(numbers()):
        assert len(made) <= i + 2


def test_an_error_is_raised_after_what_came_before_it():
    def numbers():
        yield 1
        raise KeyError("broken")

    items = in_background(in_background(numbers()))
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)


def test_closing_ends_all_threads_of_a_chain():
    before = threading.active_count()
    first = in_background(iter(int, 1))
    second = in_background(first)
    assert [next(second) for _ in range(3)] == [0, 0, 0]
    assert threading.active_count() == before + 2
    second.close()
    first.close()
    assert threading.active_count() == before


HEIGHT, WIDTH = 48, 96


def moving(frames):
    """Finds one face, whose place the frame's brightness says."""
    return [FoundFaces([Crop(int(frame[0, 0, 0]) + 1, 5, 24)], too_small=1) for frame in frames]


def items(count: int, packets_after: tuple[int, ...] = ()):
    for i in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((HEIGHT, WIDTH, 3), 2 * i, np.uint8), format="rgb24")
        frame.pts = i
        yield frame
        if i in packets_after:
            yield av.Packet(b"%d" % i)


def test_batches_keep_the_order_and_are_bounded(monkeypatch):
    batches = list(in_batches(items(7, (0, 3, 6)), 3))
    assert [sum(isinstance(item, FrameFaces) for item in batch) for batch in batches] == [3, 3, 1]
    flat = [item.frame.pts if isinstance(item, FrameFaces) else bytes(item) for batch in batches for item in batch]
    assert flat == [0, b"0", 1, 2, 3, b"3", 4, 5, 6, b"6"]
    monkeypatch.setattr(video_attack, "BATCH_PIXELS", 2 * HEIGHT * WIDTH)
    assert [len(batch) for batch in in_batches(items(5), 3)] == [2, 2, 1]
    monkeypatch.setattr(video_attack, "BATCH_PIXELS", 1)
    assert [len(batch) for batch in in_batches(items(2), 3)] == [1, 1]


def test_squares_begin_at_even_positions_and_the_picture_is_let_go():
    (batch,) = in_batches(items(4, (1,)), 8)
    found = [item for item in find_faces(batch, moving) if isinstance(item, FrameFaces)]
    assert [item.found for item in found] == [FoundFaces([Crop(2 * i, 4, 24)], too_small=1) for i in range(4)]
    assert all(item.picture is None for item in found)
    assert [int(item.before[0].max()) for item in found] == [0, 2, 4, 6]
    assert len(batch) == 5


def test_faces_of_a_batch_are_attacked_together_and_given_back_to_their_frames():
    calls = []

    def attack(faces):
        calls.append(len(faces))
        return [face + 100 for face in faces]

    assert [bytes(item) for item in attack_found(find_faces([av.Packet(b"a")], moving), list)] == [b"a"]
    parts = [attack_found(find_faces(batch, moving), attack) for batch in in_batches(items(5, (1,)), 4)]
    assert calls == [4, 1]
    frames = [item for part in parts for item in part if isinstance(item, FrameFaces)]
    assert [int(item.after[0][0, 0, 0]) for item in frames] == [100, 102, 104, 106, 108]
