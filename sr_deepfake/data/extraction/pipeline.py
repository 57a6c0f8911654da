"""Videos → face crops and their manifest: in parallel, and safe to kill and to run again at any moment."""

import functools
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import torch

from sr_deepfake.data.extraction.cropping import square_crop
from sr_deepfake.data.extraction.face_search import Look, look_for_faces
from sr_deepfake.data.extraction.records import (
    CRASHED,
    Record,
    is_current,
    new_record,
    publish,
    read_record,
    skip,
    video_folder,
)
from sr_deepfake.data.extraction.settings import ExtractionSettings, write_settings
from sr_deepfake.data.extraction.summary import ExtractionError, ExtractionSummary, OutputFolderError, assemble
from sr_deepfake.data.extraction.workers import parse_shard, run_in_processes
from sr_deepfake.data.manifest import Video
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError, choose
from sr_deepfake.system.hardware import torch_device

log = logging.getLogger(__name__)

PNG_COMPRESSION = 3  # of 9; higher levels take far longer for a few per cent


def extract_faces(
    videos: Sequence[Video],
    out: Path | str,
    settings: ExtractionSettings | None = None,
    workers: int | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
    device: str = "cpu",
) -> ExtractionSummary:
    """Extract a face of some frames of each video: the one that its mask covers, or without a mask the largest."""
    settings = settings or ExtractionSettings()
    out = Path(out).expanduser()
    index, count = parse_shard(f"{shard[0]}/{shard[1]}")
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers < 0:
        raise UserError(f"The number of workers must be 0 or more, not {workers}: prepare.workers=…")
    kind = torch_device(choose(device, ["auto", "cpu", "gpu"], "prepare.device"), "prepare.device").type
    videos = list(videos)[index::count]
    try:
        todo = [video for video in videos if not _finished(video, out, settings)]
        _say_once(out, len(videos), len(videos) - len(todo))
        job = functools.partial(_extract_one, out=out, settings=settings, device=kind)
        outcomes = (
            _in_this_process(job, todo)
            if workers == 0
            else run_in_processes(job, todo, workers, _limit, timeout=settings.timeout)
        )
        for video, trouble in track(outcomes, len(todo), "Extracting faces", "videos", progress):
            if trouble:
                log.warning("%s is skipped: %s.", video.path, trouble)
                record = new_record(video, settings.fingerprint)
                publish(skip(record, video, CRASHED, trouble), {}, video_folder(out, video))
        out.mkdir(parents=True, exist_ok=True)
        summary = assemble(out, videos, settings.fingerprint, {video.video_id for video in todo})
        write_settings(out, settings)
    except OSError as error:
        raise OutputFolderError(
            f"Extracting faces into {out} failed: {error}. Once that is fixed, the same command goes on where it ended."
        ) from error
    if videos and not summary.faces and count == 1:
        raise ExtractionError(f"Not one face was extracted.\n{summary.render()}")
    return summary


@functools.cache
def _say_once(out: Path, videos: int, done: int) -> None:
    """Log how much is done, once: a program may ask for the same faces again."""
    log.info("%d videos, %d of them already done.", videos, done)


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


def _extract_one(video: Video, out: Path, settings: ExtractionSettings, device: str) -> None:
    if _finished(video, out, settings):
        return  # by another run, since this one began
    record = new_record(video, settings.fingerprint)
    crops: dict[str, bytes] = {}
    try:
        n_frames, looked_at = look_for_faces(video, settings, device)
    except SourceError as error:
        record = skip(record, video, error.reason, error.detail)
    except Exception as error:  # whatever else a damaged file makes a codec do must not end the run
        record = skip(record, video, "unreadable", f"{type(error).__name__}: {error}")
    else:
        record["n_frames"] = n_frames
        record["several_faces"] = sum(bool(look.face and look.face.rivals) for look in looked_at)
        for look in looked_at:
            _add_face(record, crops, video, look, settings)
        if not crops:
            # Without a search for faces, only their size is against frames.
            first = record["frames_skipped"][0]
            detail = f"in any of {len(looked_at)} frames" if settings.crop else first["detail"]
            record = skip(record, video, first["reason"], detail)
    publish(record, crops, video_folder(out, video))


def _add_face(record: Record, crops: dict[str, bytes], video: Video, look: Look, settings: ExtractionSettings) -> None:
    """Add a frame's crop to `crops` and its row to the record, or the reason why there is none."""
    frame, image, detection = look.frame, look.image, look.face
    height, width = image.shape[:2]
    if detection is None:
        record["frames_skipped"].append({"frame": frame, "reason": look.why, "detail": ""})
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
            "video_id": video.video_id,
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
