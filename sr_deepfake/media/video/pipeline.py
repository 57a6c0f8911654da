"""Faces of a video's frames, found and attacked many frames at a time on threads, in the order of the file."""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import av

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import FoundFaces, Picture, cut

# Pixels of the frames of a batch: 4 of 720p, 1 of 4K. Several batches are under way at once.
BATCH_PIXELS = 4_000_000
Find = Callable[[Sequence[Picture]], list[FoundFaces]]
AttackFaces = Callable[[Sequence[Picture]], list[Picture]]
Item = TypeVar("Item")
_END: Any = object()


@dataclass
class FrameFaces:
    """A frame and its faces.

    Attributes:
        frame: as decoded.
        picture: the frame upright in RGB, until its faces are known.
        found: its faces.
        before: the faces as they were, in the order of `found.crops`, uint8 RGB.
        after: the faces attacked.
    """

    frame: "av.VideoFrame"
    picture: Picture | None
    found: FoundFaces = field(default_factory=lambda: FoundFaces([]))
    before: list[Picture] = field(default_factory=list)
    after: list[Picture] = field(default_factory=list)


Batch = list["FrameFaces | av.Packet"]


def in_background(items: Iterable[Item]) -> Generator[Item]:
    """Make the next item on another thread while the last one is in use.

    >>> list(in_background(i * i for i in range(4)))
    [0, 1, 4, 9]
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, iterator, _END)
        while (item := ahead.result()) is not _END:
            ahead = pool.submit(next, iterator, _END)
            yield item


def in_batches(items: "Iterable[av.VideoFrame | av.Packet]", frames: int) -> Generator[Batch]:
    """Gather frames, with their RGB, and the packets between them: at most `frames` frames, and `BATCH_PIXELS`."""
    batch: Batch = []
    count = 0
    for item in items:
        if isinstance(item, av.VideoFrame):
            batch.append(FrameFaces(item, upright(item)))
            count += 1
            if count >= min(frames, max(1, BATCH_PIXELS // (item.width * item.height))):
                yield batch
                batch, count = [], 0
        else:
            batch.append(item)
    if batch:
        yield batch


def find_faces(batch: Batch, find: Find) -> Batch:
    """Find the faces of a batch, and cut them; the whole pictures are no longer needed."""
    for item in batch:
        if isinstance(item, FrameFaces) and item.picture is not None:
            (found,) = find([item.picture])
            # At even positions, as the samples of subsampled chroma.
            crops = [Crop(crop.left // 2 * 2, crop.top // 2 * 2, crop.side) for crop in found.crops]
            item.found = FoundFaces(crops, found.too_small)
            item.before = [cut(item.picture, crop) for crop in crops]
            item.picture = None
    return batch


def attack_found(batch: Batch, attack_faces: AttackFaces) -> Batch:
    """Attack the faces of a batch together."""
    frames = [item for item in batch if isinstance(item, FrameFaces)]
    attacked = iter(attack_faces([face for item in frames for face in item.before]))
    for item in frames:
        item.after = [next(attacked) for _ in item.before]
    return batch
