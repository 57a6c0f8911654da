"""Faces of a video's frames, found and attacked many frames at a time on threads, in the order of the file."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import TracebackType
from typing import Generic, Self, TypeVar

import av

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import FoundFaces, Picture, cut

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


_SAME_FACE = 0.1  # overlap (intersection over union) from which two squares are of one face


def between(
    first: list[Crop], second: list[Crop], place: float, height: int, width: int, multiple: int = 24
) -> list[Crop]:
    """Squares at a place between two frames.

    Squares of the two frames that overlap are one face, best overlap first; its centre and side move evenly, the side
    in steps of `multiple`. A face of one frame only is taken to appear or vanish half-way: it stays where it
    is in the half that is nearer to its frame. So a cut is placed half-way too.

    Args:
        first: squares of the earlier frame.
        second: of the later one.
        place: 0 is the earlier frame, 1 the later one.
        height: of the frame, px.
        width: of the frame, px.
        multiple: the squares' sides are multiples of this, px.

    Returns:
        The squares, largest first, each inside the frame.

    Example:
        >>> between([Crop(0, 0, 48)], [Crop(8, 4, 48), Crop(200, 0, 24)], 0.25, height=120, width=240)
        [Crop(left=2, top=1, side=48)]
    """
    overlaps = ((overlap(a, b), i, j) for i, a in enumerate(first) for j, b in enumerate(second))
    pairs: dict[int, int] = {}
    for value, i, j in sorted(overlaps, key=lambda entry: (-entry[0], entry[1], entry[2])):
        if value >= _SAME_FACE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    squares = [_move(first[i], second[j], place, height, width, multiple) for i, j in pairs.items()]
    if place < 0.5:
        squares += [crop for i, crop in enumerate(first) if i not in pairs]
    else:
        squares += [crop for j, crop in enumerate(second) if j not in pairs.values()]
    return sorted(squares, key=lambda crop: (-crop.side, crop.top, crop.left))


def overlap(first: Crop, second: Crop) -> float:
    """Intersection over union of two squares.

    Example:
        >>> overlap(Crop(0, 0, 24), Crop(12, 0, 24))
        0.3333333333333333
    """
    across = min(first.left + first.side, second.left + second.side) - max(first.left, second.left)
    down = min(first.top + first.side, second.top + second.side) - max(first.top, second.top)
    common = max(across, 0) * max(down, 0)
    return common / (first.side**2 + second.side**2 - common)


def _move(first: Crop, second: Crop, place: float, height: int, width: int, multiple: int) -> Crop:
    sides = (first.side, second.side)
    side = round((sides[0] + place * (sides[1] - sides[0])) / multiple) * multiple
    side = min(max(side, min(sides)), max(sides))
    corner = []
    for start, end, length in ((first.left, second.left, width), (first.top, second.top, height)):
        centres = (start + sides[0] / 2, end + sides[1] / 2)
        middle = centres[0] + place * (centres[1] - centres[0])
        corner.append(min(max(round(middle - side / 2), 0), length - side))
    return Crop(corner[0], corner[1], side)


# Pixels of the frames of a batch: 4 of 720p, 1 of 4K. Several batches are under way at once.
BATCH_PIXELS = 4_000_000
# Pixels of the frames in which faces are looked for together: 1 of 720p. A face detector needs some 60 bytes for each,
# and on a CPU it is a quarter faster with one frame, which its cache holds, than with eight.
FIND_PIXELS = 1_000_000

Find = Callable[[Sequence[Picture]], list[FoundFaces]]
AttackFaces = Callable[[Sequence[Picture]], list[Picture]]


@dataclass
class FrameFaces:
    """A frame and its faces.

    Attributes:
        index: from 0.
        frame: as decoded.
        picture: the frame upright in RGB, as long as it is needed.
        found: its faces; None until they are known.
        before: the faces as they were, in the order of `found.crops`, uint8 RGB.
        after: the faces attacked.
    """

    index: int
    frame: "av.VideoFrame"
    picture: Picture | None
    found: FoundFaces | None = None
    before: list[Picture] = field(default_factory=list)
    after: list[Picture] = field(default_factory=list)

    def settle(self, found: FoundFaces) -> None:
        """Cut the faces; the whole picture is no longer needed."""
        assert self.picture is not None
        self.found = found
        self.before = [cut(self.picture, crop) for crop in found.crops]
        self.picture = None


Batch = list["FrameFaces | av.Packet"]


def in_batches(items: "Iterable[av.VideoFrame | av.Packet]", frames: int) -> Iterator[Batch]:
    """Gather frames, with their RGB, and the packets between them: at most `frames` frames, and `BATCH_PIXELS`."""
    batch: Batch = []
    count = index = 0
    for item in items:
        if isinstance(item, av.VideoFrame):
            batch.append(FrameFaces(index, item, upright(item)))
            count, index = count + 1, index + 1
            if count >= min(frames, max(1, BATCH_PIXELS // (item.width * item.height))):
                yield batch
                batch, count = [], 0
        else:
            batch.append(item)
    if batch:
        yield batch


def find_faces(batches: Iterable[Batch], find: Find, every: int = 1) -> Iterator[Batch]:
    """Find the faces of every frame, or of every `every`-th and the last one, and place them in the frames between.

    Frames wait until the next frame in which faces are looked for has been reached, so at most `every` more are held.

    Args:
        batches: of `in_batches`.
        find: RGB pictures → their faces.
        every: 1 looks in every frame.
    """
    waiting: Batch = []
    latest: FrameFaces | None = None
    for batch in batches:
        waiting += batch
        key = [item for item in batch if isinstance(item, FrameFaces) and item.index % every == 0]
        if key:
            latest = _settle(waiting, key, find, latest)
            ready = waiting.index(latest) + 1
            yield waiting[:ready]
            waiting = waiting[ready:]
    last = [item for item in waiting if isinstance(item, FrameFaces)][-1:]
    if last:
        _settle(waiting, last, find, latest)
    if waiting:
        yield waiting


def attack_found(batches: Iterable[Batch], attack_faces: AttackFaces) -> Iterator[Batch]:
    """Attack the faces of a batch together."""
    for batch in batches:
        frames = [item for item in batch if isinstance(item, FrameFaces)]
        attacked = iter(attack_faces([face for item in frames for face in item.before]))
        for item in frames:
            item.after = [next(attacked) for _ in item.before]
        yield batch


def _settle(waiting: Batch, key: list[FrameFaces], find: Find, latest: FrameFaces | None) -> FrameFaces:
    """Give the key frames, and those that wait between them, their faces; return the last key frame."""
    pictures = [item.picture for item in key if item.picture is not None]
    together = max(1, FIND_PIXELS // (key[0].frame.width * key[0].frame.height))
    parts = (find(pictures[start : start + together]) for start in range(0, len(pictures), together))
    multiple = int(getattr(find, "multiple", 24))  # `FaceFinder` has it
    found = {item.index: faces for item, faces in zip(key, chain.from_iterable(parts), strict=True)}
    frames = [item for item in waiting if isinstance(item, FrameFaces)]
    for item in key:
        height, width = item.picture.shape[:2] if item.picture is not None else (0, 0)
        for other in frames:
            if latest is not None and latest.found is not None and latest.index < other.index < item.index:
                place = (other.index - latest.index) / (item.index - latest.index)
                before, after = latest.found.crops, found[item.index].crops
                crops: list[Crop] = between(before, after, place, height, width, multiple)
                nearer = latest.found if place < 0.5 else found[item.index]
                other.settle(FoundFaces(crops, nearer.too_small))
        item.settle(found[item.index])
        latest = item
    return key[-1]
