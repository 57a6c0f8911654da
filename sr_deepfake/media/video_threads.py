"""A stage of a pipeline on a thread of its own, a bounded number of results ahead of whoever takes them."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Background(Generic[Item]):
    """Takes results from an iterator on another thread, and hands them on in their order.

    At most `ahead` results wait; the thread rests while they do, so that memory stays bounded. What the iterator raises
    is raised where the results are taken. Leaving the `with` block ends the thread, after the result that it is at.

    Args:
        source: the iterator; it is used on the thread only.
        ahead: results that may wait, at least 1.

    Example:
        >>> with Background((i * i for i in range(4)), ahead=2) as squares:
        ...     list(squares)
        [0, 1, 4, 9]
    """

    def __init__(self, source: Iterable[Item], ahead: int = 1) -> None:
        if ahead < 1:
            raise ValueError(f"ahead must be at least 1, not {ahead}")
        self._source = source
        self._ahead = ahead
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._stopped = self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            while not (self._waiting or self._ended):
                self._changed.wait()
            if self._waiting:
                item = self._waiting.popleft()
                self._changed.notify_all()
                return item
        if self._error is not None:
            raise self._error
        raise StopIteration

    def _run(self) -> None:
        try:
            for item in self._source:
                with self._changed:
                    while len(self._waiting) >= self._ahead and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        break
                    self._waiting.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
