"""Builds the sample: a miniature FaceForensics++ in the official layout, only what is asked for, once."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
from filelock import FileLock, Timeout

from sr_deepfake.data.extraction.workers import run_in_processes
from sr_deepfake.data.manifest import FORGERY_METHODS, PRISTINE
from sr_deepfake.data.sample.forgeries import forge
from sr_deepfake.data.sample.people import Frames, Pair, draw_pairs, identity_table, read_identity
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import choose
from sr_deepfake.system.files import replacing, write_json

log = logging.getLogger(__name__)

SAMPLE_VERSION = 2  # to be raised by whatever changes a pixel, a pair or an encoder setting
FRAMES_PER_SECOND = 10
# One thread, because x264's rate control depends on how many there are; and `cpu-independent`, because without
# it the vectorised look-ahead (mbtree) of some CPUs gives other bytes from one run to the next.
CODEC_OPTIONS = {"crf": "23", "preset": "medium", "threads": "1", "x264-params": "cpu-independent=1"}
COMPRESSION = "c23"


@dataclass(frozen=True)
class _Clip:
    """A file to be made: the target's clip, forged with the source unless `source` is empty."""

    path: Path
    method: str
    target: str
    source: str = ""


def sample_folder(cache: Path) -> Path:
    """Folder of this version's sample in a cache, so that another version's is not reused.

    >>> sample_folder(Path("cache")).as_posix()
    'cache/sample-v2'
    """
    return cache / f"sample-v{SAMPLE_VERSION}"


def build_sample(
    root: Path,
    methods: Sequence[str] = FORGERY_METHODS,
    workers: int | None = None,
    progress: bool = False,
    pairs: Mapping[str, Sequence[Pair]] | None = None,
) -> Path:
    """Make the pristine clips and those of some forgery methods, as far as they are not there yet.

    Files appear whole or not at all, a build that was killed is taken up where it stopped, and two processes
    may ask for the same sample at once. With the same versions of OpenCV, SciPy and FFmpeg the files are the
    same byte for byte, whatever the number of workers.

    Args:
        root: folder in FaceForensics++'s layout, made if it is missing; see `sample_folder`.
        methods: some of `Deepfakes`, `Face2Face`, `FaceSwap`, `FaceShifter`, `NeuralTextures`; `pristine` is
            understood and always built.
        workers: number of processes; None: one a core; 0 or 1: this process.
        progress: show a progress bar, or log lines where there is no terminal.
        pairs: of people, by split; None: `draw_pairs`.

    Returns:
        `root`.

    Raises:
        UserError: when a method is unknown; the message names the valid ones.
    """
    root, pairs = Path(root), draw_pairs() if pairs is None else pairs
    for method in methods:
        choose(method, (PRISTINE, *FORGERY_METHODS), "forgery method")
    clips = _clips(root, methods, [pair for split in pairs.values() for pair in split])
    splits = {root / "splits" / f"{split}.json": list(chosen) for split, chosen in pairs.items()}
    if all(path.exists() for path in (*splits, *(clip.path for clip in clips))):
        return root
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / ".lock")  # the system lets go of it when its holder dies
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        log.info("Another process builds the sample in %s: waiting for it.", root)
        held = lock.acquire()
    with held:
        for folder in {path.parent for path in (*splits, *(clip.path for clip in clips))}:
            for unfinished in folder.glob(".*.part*"):  # of a build that was killed
                unfinished.unlink(missing_ok=True)
        for path, chosen in splits.items():
            write_json(path, chosen)
        missing = [clip for clip in clips if not clip.path.exists()]
        workers = (os.cpu_count() or 1) if workers is None else workers
        processes = 0 if min(workers, len(missing)) <= 1 else workers
        finished = run_in_processes(_make, missing, processes, partial(cv2.setNumThreads, 1))
        for clip, trouble in track(finished, len(missing), "Making the sample's clips", "clips", progress):
            if trouble:
                raise RuntimeError(f"{clip.path} could not be made: {trouble}. Is there memory for it?")
    return root


def _clips(root: Path, methods: Sequence[str], pairs: Sequence[Pair]) -> list[_Clip]:
    """All clips that are wanted, in the order in which they are made."""
    folder = root / "original_sequences" / "youtube" / COMPRESSION / "videos"
    clips = [_Clip(folder / f"{name}.mp4", PRISTINE, name) for pair in pairs for name in pair]
    for method in FORGERY_METHODS:
        if method in methods:
            folder = root / "manipulated_sequences" / method / COMPRESSION / "videos"
            both_ways = [pair for a, b in pairs for pair in ((a, b), (b, a))]
            clips += [_Clip(folder / f"{target}_{source}.mp4", method, target, source) for target, source in both_ways]
    return clips


def _make(clip: _Clip) -> None:
    frames, table = read_identity(clip.target), identity_table()
    if clip.method != PRISTINE:
        landmarks, others = table.landmarks_of(clip.target), table.landmarks_of(clip.source)
        frames = forge(clip.method, frames, landmarks, read_identity(clip.source), others)
    with replacing(clip.path) as part:
        write_clip(part, frames)


def write_clip(path: Path, frames: Frames) -> None:
    """Encode a clip."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=CODEC_OPTIONS)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
