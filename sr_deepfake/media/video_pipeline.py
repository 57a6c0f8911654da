"""Faces of a video's frames, found and attacked many frames at a time, in the order of the file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import av

from sr_deepfake.data.cropping import Crop
from sr_deepfake.media.faces import FoundFaces, Picture, cut
from sr_deepfake.media.video_planes import upright
from sr_deepfake.media.video_tracking import between

# Pixels of the frames of a batch: 8 of 720p, 1 of 4K. Several batches are under way at once.
BATCH_PIXELS = 8_000_000
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
    found = {item.index: faces for item, faces in zip(key, chain.from_iterable(parts), strict=True)}
    frames = [item for item in waiting if isinstance(item, FrameFaces)]
    for item in key:
        height, width = item.picture.shape[:2] if item.picture is not None else (0, 0)
        for other in frames:
            if latest is not None and latest.found is not None and latest.index < other.index < item.index:
                place = (other.index - latest.index) / (item.index - latest.index)
                crops: list[Crop] = between(latest.found.crops, found[item.index].crops, place, height, width)
                nearer = latest.found if place < 0.5 else found[item.index]
                other.settle(FoundFaces(crops, nearer.too_small))
        item.settle(found[item.index])
        latest = item
    return key[-1]
