"""Attacks the faces of a video; everything else of it stays what it was."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import av

from sr_deepfake.media.faces import FaceFinder, Picture
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.media.video.following import Following
from sr_deepfake.media.video.pipeline import AttackFaces, Find, attack_found, find_faces, in_background, in_batches
from sr_deepfake.media.video.planes import paste_faces
from sr_deepfake.media.video.reader import VideoReader
from sr_deepfake.media.video.writer import VideoWriter, missing_parts
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

AUTO = "auto"
Watch = Callable[[list[Picture], list[Picture]], None]


@dataclass(frozen=True)
class VideoSettings:
    """Settings of attacking a video.

    Attributes:
        encoding: how its frames are encoded.
        every: 1: every frame is searched whole. "auto": see `Following`.
        feather: px over which a face's border blends in.
        batch: frames that go through the networks together, at most (large frames are fewer).

    Raises:
        UserError: a value is no choice.
    """

    encoding: Encoding = field(default_factory=Encoding)
    every: int | str = 1
    feather: int = 0
    batch: int = 16

    def __post_init__(self) -> None:
        if self.every not in (AUTO, 1):
            raise UserError(f"faces.every must be {AUTO} or 1, not {self.every}")
        if self.batch < 1:
            raise UserError(f"video.batch={self.batch} must be at least 1")
        if self.feather < 0:
            raise UserError(f"faces.feather={self.feather} must be at least 0")


@dataclass(frozen=True)
class VideoReport:
    """Result of attacking a video.

    Attributes:
        frames: how many were written.
        faces: how many faces were attacked, in all frames together.
        too_small: how many were left alone because they are too small.
        damage: from where on the source is damaged, in words; "" where it is not.
        left_out: what the result lacks, such as "data" (a stream's kind) or "cover picture".
        copied: whether no face was found and the file was copied as it is.
    """

    frames: int
    faces: int
    too_small: int
    damage: str = ""
    left_out: tuple[str, ...] = ()
    copied: bool = False


def attack_video(
    source: Path,
    target: Path,
    finder: Find,
    attack_faces: AttackFaces,
    settings: VideoSettings | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    watch: Watch | None = None,
) -> VideoReport:
    """Attack the faces of a video.

    >>> from tempfile import mkdtemp
    >>> from sr_deepfake.data.extraction.cropping import Crop
    >>> from sr_deepfake.data.sample.people import ASSETS
    >>> from sr_deepfake.media.faces import FoundFaces
    >>> target = Path(mkdtemp()) / "a.mp4"
    >>> corner = lambda frames: [FoundFaces([Crop(0, 0, 48)]) for _ in frames]
    >>> negative = lambda faces: [255 - face for face in faces]
    >>> attack_video(ASSETS / "identities" / "030.mp4", target, corner, negative)
    VideoReport(frames=10, faces=10, too_small=0, damage='', left_out=(), copied=False)
    """
    settings = settings or VideoSettings()
    if settings.every == AUTO:
        if not isinstance(finder, FaceFinder):
            raise ValueError('every="auto" needs a FaceFinder, which finds faces around known ones, too')
        finder = Following(finder)
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source))
        temporary = stack.enter_context(replacing(target))
        writer = stack.enter_context(VideoWriter(temporary, target, reader, settings.encoding))
        stages = in_batches(reader.items(), settings.batch)
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
        copied = faces == 0 and source.suffix.lower() == target.suffix.lower()
        if copied:
            shutil.copyfile(source, temporary)
        left_out = () if copied else missing_parts(source, temporary)
        return VideoReport(frames, faces, too_small, reader.damage, left_out, copied)
