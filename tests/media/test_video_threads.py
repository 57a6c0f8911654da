import threading

import pytest

from sr_deepfake.media.video.pipeline import Background


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
