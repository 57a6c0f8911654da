"""Attacks the faces of a video; everything else of it stays what it was."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import av

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import FaceFinder, Picture
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.media.video.following import Following
from sr_deepfake.media.video.pipeline import (
    AttackFaces,
    Background,
    Find,
    FrameFaces,
    attack_found,
    find_faces,
    in_batches,
)
from sr_deepfake.media.video.planes import paste_faces
from sr_deepfake.media.video.preview import Labels, PreviewWriter
from sr_deepfake.media.video.reader import Gap, VideoReader
from sr_deepfake.media.video.writer import VideoWriter
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

AUTO = "auto"
Watch = Callable[[int, list[Crop], list[Picture], list[Picture]], None]


@dataclass(frozen=True)
class VideoSettings:
    """Settings of attacking a video.

    Attributes:
        encoding: how its frames are encoded.
        every: faces are looked for in every `every`-th frame and the last one; between them their squares move evenly.
            "auto": see `Following`.
        feather: px over which a face's border blends in.
        batch: frames that go through the networks together, at most (large frames are fewer).
        preview: also write a video of before and after, side by side, here.

    Raises:
        UserError: a number is too small.
    """

    encoding: Encoding = field(default_factory=Encoding)
    every: int | str = 1
    feather: int = 0
    batch: int = 16
    preview: Path | None = None

    def __post_init__(self) -> None:
        every = 1 if self.every == AUTO else self.every
        if not isinstance(every, int):
            raise UserError(f"faces.every={every}: it is a whole number, or {AUTO}")
        for option, value in (("faces.every", every), ("video.batch", self.batch)):
            if value < 1:
                raise UserError(f"{option}={value} must be at least 1")
        if self.feather < 0:
            raise UserError(f"faces.feather={self.feather} must be at least 0")


@dataclass(frozen=True)
class VideoReport:
    """Result of attacking a video.

    Attributes:
        frames: how many were written.
        faces: how many faces were attacked, in all frames together.
        too_small: how many were left alone because they are too small.
        gaps: the damaged parts of the source.
        left_out: what the result lacks, such as "data" (a stream's kind) or "cover picture".
        copied: whether no face was found and the file was copied as it is.
    """

    frames: int
    faces: int
    too_small: int
    gaps: tuple[Gap, ...] = ()
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
    labels: Labels | None = None,
) -> VideoReport:
    """Attack the faces of a video.

    Reading, finding, attacking and writing run on threads of their own, a bounded number of frames apart. Where no face
    is found and the container is the same, the result is a copy of the file. The target appears whole or not at all.

    Args:
        source: anything that PyAV reads.
        target: where the result goes; its suffix says the container. Overwritten.
        finder: upright RGB frames → their faces; a `FaceFinder` where `settings.every` is "auto".
        attack_faces: faces → as many attacked faces; see `sr_deepfake.media.faces.attack_crops`.
        settings: None takes the defaults.
        progress: called with the number of frames done and of frames there are (None: not known), on this thread.
        watch: called for every frame in its order, on this thread: index, squares, faces before, faces after.
        labels: index of a frame → texts for its faces before and after, for the preview; called after `watch`.

    Returns:
        What was done.

    Raises:
        UserError: the source cannot be read, or the target not be written, or not as the settings ask; the message
            names the file.

    Example:
        >>> from tempfile import mkdtemp
        >>> from sr_deepfake.data.sample.people import ASSETS
        >>> from sr_deepfake.media.faces import FoundFaces
        >>> target = Path(mkdtemp()) / "a.mp4"
        >>> corner = lambda frames: [FoundFaces([Crop(0, 0, 48)]) for _ in frames]
        >>> negative = lambda faces: [255 - face for face in faces]
        >>> attack_video(ASSETS / "identities" / "030.mp4", target, corner, negative)
        VideoReport(frames=10, faces=10, too_small=0, gaps=(), left_out=(), copied=False)
    """
    settings = settings or VideoSettings()
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source))
        beside = stack.enter_context(replacing(target))
        preview = None
        if settings.preview is not None:
            file = stack.enter_context(replacing(settings.preview))
            preview = stack.enter_context(PreviewWriter(file, settings.preview, reader, labels))
        writer = stack.enter_context(VideoWriter(beside, target, reader, settings.encoding))
        read = stack.enter_context(Background(in_batches(reader.items(), settings.batch)))
        if isinstance(settings.every, int):
            found = stack.enter_context(Background(find_faces(read, finder, settings.every)))
        elif isinstance(finder, FaceFinder):
            found = stack.enter_context(Background(find_faces(read, Following(finder))))
        else:
            raise ValueError('every="auto" needs a FaceFinder, which finds faces around known ones, too')
        attacked = stack.enter_context(Background(attack_found(found, attack_faces)))
        frames = faces = too_small = 0
        for batch in attacked:
            for item in batch:
                if isinstance(item, av.Packet):
                    writer.write(item)
                    continue
                assert item.found is not None
                frames, faces = frames + 1, faces + len(item.before)
                too_small += item.found.too_small
                if watch is not None:
                    watch(item.index, item.found.crops, item.before, item.after)
                _write(item, writer, preview, settings.feather)
            if progress is not None:
                progress(frames, reader.frames)
        writer.finish()
        if preview is not None:
            preview.finish()
        copied = faces == 0 and source.suffix.lower() == target.suffix.lower()
        if copied:
            shutil.copyfile(source, beside)
        left_out = () if copied else tuple(dict.fromkeys(writer.left_out))
        return VideoReport(frames, faces, too_small, tuple(reader.gaps), left_out, copied)


def _write(item: FrameFaces, writer: VideoWriter, preview: PreviewWriter | None, feather: int) -> None:
    frame, crops = item.frame, item.found.crops if item.found else []
    before = upright(frame) if preview is not None else None
    if crops:
        frame.make_writable()  # the decoder still looks at its frames
        paste_faces(frame, crops, item.before, item.after, feather)
    if preview is not None and before is not None:
        preview.write(item.index, frame, before, crops)
    writer.write(frame)
