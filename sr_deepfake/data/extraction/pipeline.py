"""Videos → face crops and their manifest: in parallel, and safe to kill and to run again at any moment."""

import functools
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sr_deepfake.data.extraction.cropping import square_crop
from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector, Frame
from sr_deepfake.data.extraction.records import (
    GIVEN_UP,
    Record,
    is_current,
    new_record,
    publish,
    read_record,
    run_folder,
    skip,
    video_folder,
)
from sr_deepfake.data.extraction.settings import ExtractionSettings, write_settings
from sr_deepfake.data.extraction.summary import (
    ExtractionError,
    ExtractionSummary,
    OutputFolderError,
    assemble,
)
from sr_deepfake.data.extraction.video import read_frames, read_photo
from sr_deepfake.data.extraction.workers import parse_shard, run_in_processes
from sr_deepfake.data.leaks import picture_print
from sr_deepfake.data.manifest import Video
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.photos import is_photo

log = logging.getLogger(__name__)

MOST_DRAWN = 1000  # frames of a video that are looked at, until so many faces are found as are wanted
MOST_AT_ONCE = 32  # frames that are decoded before faces are looked for: 200 MB at 1080p
PNG_COMPRESSION = 3  # of 9; higher levels take far longer for a few per cent


def extract_faces(
    videos: Sequence[Video],
    out: Path | str,
    settings: ExtractionSettings | None = None,
    workers: int | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
    own: bool = False,
) -> ExtractionSummary:
    """Extract the largest face of some frames of each video.

    Each video gives a folder `<out>/<method>/<stem>/` with its crops `<frame>.png` and a record
    `video.json`. A video whose record is there is not repeated, unless its file or the settings have
    changed. From all records in `out` with the same settings, also those of other runs, the manifest
    `faces.parquet` and the list `skipped.csv` are made. Several runs may work in the same folder at once.

    Args:
        videos: from `list_videos`. Missing and damaged ones are skipped and counted.
        out: the output folder.
        settings: see `ExtractionSettings`; the paper's by default.
        workers: processes; None: one a core. 0: none, in this process, which a crash in a codec ends.
        shard: (i, n) to take every n-th video from the i-th on, for n machines with a common folder.
        progress: show a progress bar, or log lines where there is no terminal.
        own: the files are the user's own, photos or videos: the manifest holds theirs only, and each record the prints
            of its pictures (`phash`, see `leaks`).

    Raises:
        ExtractionError: when no face is found at all, or `out` holds faces that were extracted with other
            split files.
        OutputFolderError: when `out` cannot be written to.
    """
    settings = settings or ExtractionSettings()
    out = Path(out).expanduser()
    index, count = parse_shard(f"{shard[0]}/{shard[1]}")
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers < 0:
        raise UserError(f"The number of workers must be 0 or more, not {workers}: prepare.workers=…")
    everything = list(videos)
    videos = everything[index::count]
    try:
        with run_folder(out) as partial:
            todo = [video for video in videos if not _finished(video, out, settings)]
            log.info("%d videos, %d of them already done.", len(videos), len(videos) - len(todo))
            job = functools.partial(_extract_one, out=out, partial=partial, settings=settings, prints=own)
            outcomes = (
                _in_this_process(job, todo)
                if workers == 0
                else run_in_processes(job, todo, workers, _limit, timeout=settings.timeout)
            )
            for video, trouble in track(outcomes, len(todo), "Extracting faces", "videos", progress):
                if trouble:
                    log.warning("%s is skipped: %s.", video.path, trouble)
                    record = new_record(video, settings.fingerprint)
                    publish(skip(record, video, GIVEN_UP, trouble), {}, video_folder(out, video), partial)
        extracted = {video.video_id for video in todo}
        summary = assemble(out, videos, settings.fingerprint, extracted, only=everything if own else None)
        write_settings(out, settings)
    except OSError as error:
        raise OutputFolderError(
            f"Extracting faces into {out} failed: {error}. Mend it and run the same command again: "
            "it goes on where it ended."
        ) from error
    if videos and not summary.faces and count == 1:
        raise ExtractionError(f"Not one face was extracted.\n{summary.render()}")
    return summary


def _finished(video: Video, out: Path, settings: ExtractionSettings) -> bool:
    folder = video_folder(out, video)
    return is_current(read_record(folder), folder, video, settings.fingerprint)


def _limit() -> None:
    """One thread a process: it is the videos that run in parallel, and sums do not depend on the machine."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _in_this_process(job: "functools.partial[None]", videos: list[Video]) -> Iterator[tuple[Video, str]]:
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    _limit()
    try:
        for video in videos:
            job(video)
            yield video, ""
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)


@functools.lru_cache(maxsize=1)
def _detector(thresholds: Sequence[float], min_face: float) -> FaceDetector:
    return FaceDetector(thresholds, min_face)


def _extract_one(
    video: Video, out: Path, partial: Path, settings: ExtractionSettings, prints: bool = False
) -> None:
    if _finished(video, out, settings):
        return  # by another run, since this one began
    record = new_record(video, settings.fingerprint)
    crops: dict[str, bytes] = {}
    try:
        n_frames, looked_at = _look(video.path, settings)
    except SourceError as error:
        record = skip(record, video, error.reason, error.detail)
    except Exception as error:  # whatever else a damaged file makes a codec do must not end the run
        record = skip(record, video, "unreadable", f"{type(error).__name__}: {error}")
    else:
        record["n_frames"] = n_frames
        for frame, image, detection in looked_at:
            _add_face(record, crops, video, frame, image, detection, settings)
        if not crops:
            # Without a search for faces, only their size is against frames.
            first = record["frames_skipped"][0]
            detail = f"in any of {len(looked_at)} frames" if settings.crop else first["detail"]
            record = skip(record, video, "no face" if settings.crop else first["reason"], detail)
        if prints:
            record["phash"] = {
                str(frame): picture_print(image)
                for frame, image, detection in looked_at
                if detection is not None
            }
    if not _finished(video, out, settings):
        publish(record, crops, video_folder(out, video), partial)


def _look(path: Path, settings: ExtractionSettings) -> tuple[int, list[tuple[int, Frame, Detection | None]]]:
    """Look for faces in frames, drawn until so many are found as are wanted, or the frames run out.

    Returns:
        The number of frames, and those that were looked at, in their order: index, picture, largest face.
    """
    looked_at: list[tuple[int, Frame, Detection | None]] = []
    faces, count = 0, settings.frames
    n_frames: int | None = None
    while True:
        tried = len(looked_at)
        if is_photo(path):
            drawn = read_photo(path)
        else:
            drawn = read_frames(path, count, settings.min_frames, settings.seed, tried, n_frames)
        if settings.crop:
            found = _detector(settings.thresholds, settings.min_face).largest(drawn.images)
        else:
            found = [_whole(image) for image in drawn.images]
        pairs = dict(zip(drawn.indices, zip(drawn.images, found, strict=True), strict=True))
        for frame in drawn.order:
            if faces < settings.frames:
                image, detection = pairs[frame]
                looked_at.append((frame, image if detection else image[:1, :1], detection))
                faces += detection is not None
        n_frames = drawn.n_frames
        rest = min(n_frames, MOST_DRAWN) - len(looked_at)
        if faces == settings.frames or rest <= 0:
            return n_frames, sorted(looked_at, key=lambda one: one[0])
        count = min(len(looked_at), MOST_AT_ONCE, rest)  # more each time, since decoding begins anew


def _whole(image: NDArray[np.uint8]) -> Detection:
    """A frame of which no face is looked for, as a face that fills it."""
    height, width = image.shape[:2]
    return Detection((0.0, 0.0, float(width), float(height)), float("nan"))


def _add_face(
    record: Record,
    crops: dict[str, bytes],
    video: Video,
    frame: int,
    image: NDArray[np.uint8],
    detection: Detection | None,
    settings: ExtractionSettings,
) -> None:
    """Add a frame's crop to `crops` and its row to the record, or the reason why there is none."""
    height, width = image.shape[:2]
    if detection is None:
        record["frames_skipped"].append({"frame": frame, "reason": "no face", "detail": ""})
        return
    crop = square_crop(detection.box, height, width, settings.margin, settings.multiple, settings.square)
    if crop is None:
        detail = f"{width}×{height} px, smaller than {settings.multiple}"
        record["frames_skipped"].append({"frame": frame, "reason": "frame too small", "detail": detail})
        return
    pixels = image[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    _, png = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    name = f"{frame:04d}.png"
    crops[name] = png.tobytes()
    left, top, right, bottom = detection.box
    record["faces"].append(
        {
            "face_id": f"{video.video_id}/{frame:04d}",
            **record["video"],
            "frame": frame,
            "side": crop.side,
            "path": f"{video.video_id}/{name}",
            "box_left": left,
            "box_top": top,
            "box_right": right,
            "box_bottom": bottom,
            "crop_left": crop.left,
            "crop_top": crop.top,
            "frame_width": width,
            "frame_height": height,
            "probability": detection.probability,
            "sha256": hashlib.sha256(crops[name]).hexdigest(),
        }
    )
