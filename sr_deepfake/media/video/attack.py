"""Attacks the faces of a video, many frames at a time on threads; everything else of it stays what it was."""

import shutil
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import av

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import AttackFaces, FaceFinder, Find, Following, FoundFaces, Picture, cut
from sr_deepfake.media.files import Job
from sr_deepfake.media.outcomes import Outcome
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.media.video.planes import paste_faces
from sr_deepfake.media.video.reader import VideoReader
from sr_deepfake.media.video.writer import VideoWriter, missing_parts
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

AUTO = "auto"
# Pixels of the frames of a batch: 4 of 720p, 1 of 4K. Several batches are under way at once.
BATCH_PIXELS = 4_000_000
Item = TypeVar("Item")
_END: Any = object()


@dataclass(frozen=True)
class VideoSettings:
    """Settings of attacking a video."""

    encoding: Encoding = field(default_factory=Encoding)
    every: int | str = 1  # 1: every frame is searched whole; "auto": see `Following`
    feather: int = 0  # px over which a face's border blends in
    batch: int = 16  # frames that go through the networks together, at most (large frames are fewer)

    def __post_init__(self) -> None:
        if self.every not in (AUTO, 1):
            raise UserError(f"faces.every must be {AUTO} or 1, not {self.every}")
        if self.batch < 1:
            raise UserError(f"video.batch={self.batch} must be at least 1")
        if self.feather < 0:
            raise UserError(f"faces.feather={self.feather} must be at least 0")


def attack_video(
    source: Path,
    target: Path,
    finder: Find,
    attack_faces: AttackFaces,
    settings: VideoSettings | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    watch: Callable[[list[Picture], list[Picture]], None] | None = None,
) -> Outcome:
    """Attack the faces of a video; `watch` gets those of each frame, before and after."""
    settings = settings or VideoSettings()
    if settings.every == AUTO and isinstance(finder, FaceFinder):
        finder = Following(finder)
    with ExitStack() as stack:
        reader = stack.enter_context(closing(VideoReader(source)))
        temporary = stack.enter_context(replacing(target))
        writer = stack.enter_context(closing(VideoWriter(temporary, target, reader, settings.encoding)))
        stages = in_batches(reader.items, settings.batch)
        for work in (None, partial(find_faces, find=finder), partial(attack_found, attack_faces=attack_faces)):
            stages = stack.enter_context(closing(in_background(stages if work is None else map(work, stages))))
        frames = faces = too_small = 0
        for batch in stages:
            for item in batch:
                if isinstance(item, av.Packet):
                    writer.write(item)
                    continue
                frames, faces = frames + 1, faces + len(item.before)
                too_small += item.found.too_small
                if watch is not None:
                    watch(item.before, item.after)
                if item.before:
                    item.frame.make_writable()  # the decoder still looks at its frames
                    paste_faces(item.frame, item.found.crops, item.before, item.after, settings.feather)
                writer.write(item.frame)
            if progress is not None:
                progress(frames, reader.frames)
        writer.finish()
        left_out: tuple[str, ...] = ()
        if faces == 0 and source.suffix.lower() == target.suffix.lower():
            shutil.copyfile(source, temporary)
        else:
            left_out = missing_parts(source, temporary)
        fault = "" if reader.damaged is None else f"{reader.name}: damaged from {reader.damaged:.2f} s on"
        status = "attacked" if faces else "no face"
        return Outcome(Job(source, target), status, faces, too_small, frames, fault=fault, left_out=left_out)


@dataclass
class FrameFaces:
    """A frame and its faces, uint8 RGB in the order of `found.crops`."""

    frame: "av.VideoFrame"  # as decoded
    picture: Picture | None  # upright in RGB, until its faces are known
    found: FoundFaces = field(default_factory=lambda: FoundFaces([]))
    before: list[Picture] = field(default_factory=list)
    after: list[Picture] = field(default_factory=list)


Batch = list["FrameFaces | av.Packet"]


def in_background(items: Iterable[Item]) -> Generator[Item]:
    """Make the next item on another thread while the last one is in use."""
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
