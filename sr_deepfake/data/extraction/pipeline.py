"""Videos → face crops and their manifest: in parallel, and safe to kill and to run again at any moment."""

import functools
import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import torch

from sr_deepfake.data.extraction.cropping import square_crop
from sr_deepfake.data.extraction.face_search import Look, look_for_faces
from sr_deepfake.data.extraction.records import CRASHED, Record, is_current, new_record, publish, skip
from sr_deepfake.data.extraction.settings import SETTINGS, ExtractionSettings
from sr_deepfake.data.extraction.summary import ExtractionSummary, assemble
from sr_deepfake.data.extraction.workers import parse_shard, run_in_processes
from sr_deepfake.data.manifest import Video
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError, choose
from sr_deepfake.system.files import file_digest, write_json
from sr_deepfake.system.hardware import torch_device

log = logging.getLogger(__name__)

PNG_COMPRESSION = 3  # of 9; higher levels take far longer for a few per cent


def extract_faces(
    videos: Sequence[Video],
    out: Path,
    settings: ExtractionSettings,
    workers: int | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: bool = True,
    device: str = "cpu",
) -> ExtractionSummary:
    """Extract a face of some frames of each video: the one that its mask covers, or without a mask the largest."""
    index, count = parse_shard(f"{shard[0]}/{shard[1]}")
    if workers is None:
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if workers < 0:
        raise UserError(f"The number of workers must be 0 or more, not {workers}: prepare.workers=…")
    kind = torch_device(choose(device, ["auto", "cpu", "gpu"], "prepare.device"), "prepare.device").type
    videos = videos[index::count]
    threads = torch.get_num_threads(), cv2.getNumThreads()
    if workers == 0:
        _limit_threads()
    try:
        todo = [video for video in videos if not is_current(out / video.video_id, video, settings.fingerprint)]
        _say_once(out, len(videos), len(videos) - len(todo))
        job = functools.partial(_extract_one, out=out, settings=settings, device=kind)
        outcomes = run_in_processes(job, todo, workers, _limit_threads, settings.timeout)
        for video, trouble in track(outcomes, len(todo), "Extracting faces", "videos", progress):
            if trouble:
                log.warning("%s is skipped: %s.", video.path, trouble)
                record = new_record(video, settings.fingerprint)
                publish(skip(record, video, CRASHED, trouble), {}, out / video.video_id)
        out.mkdir(parents=True, exist_ok=True)
        summary = assemble(out, videos, settings.fingerprint, {video.video_id for video in todo})
        write_json(out / SETTINGS, asdict(settings))
    except OSError as error:
        raise UserError(
            f"Extracting faces into {out} failed: {error}. Once that is fixed, the same command goes on where it ended."
        ) from error
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])
    if videos and not summary.faces and count == 1:
        raise UserError(f"Not one face was extracted.\n{summary.render()}")
    return summary


@functools.cache
def _say_once(out: Path, videos: int, done: int) -> None:
    """Log how much is done, once: a program may ask for the same faces again."""
    log.info("%d videos, %d of them already done.", videos, done)


def _limit_threads() -> None:
    """One thread a process: it is the videos that run in parallel, and sums do not depend on the machine."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _extract_one(video: Video, out: Path, settings: ExtractionSettings, device: str) -> None:
    if is_current(out / video.video_id, video, settings.fingerprint):
        return  # by another run, since this one began
    record = new_record(video, settings.fingerprint)
    crops: dict[str, bytes] = {}
    try:
        n_frames, looked_at = look_for_faces(video, settings, device)
        if video.path.is_file():
            record["source_sha256"] = file_digest(video.path)  # equal files are found by it, whatever their names
    except SourceError as error:
        record = skip(record, video, error.reason, error.detail)
    except Exception as error:  # whatever else a damaged file makes a codec do must not end the run
        record = skip(record, video, "unreadable", f"{type(error).__name__}: {error}")
    else:
        record["n_frames"] = n_frames
        record["several_faces"] = sum(bool(look.face and look.face.rivals) for look in looked_at)
        for look in looked_at:
            _add_face(record, crops, look, settings)
        if not crops:
            # Without a search for faces, only their size is against frames.
            first = record["frames_skipped"][0]
            detail = f"in any of {len(looked_at)} frames" if settings.crop else first["detail"]
            record = skip(record, video, first["reason"], detail)
    publish(record, crops, out / video.video_id)


def _add_face(record: Record, crops: dict[str, bytes], look: Look, settings: ExtractionSettings) -> None:
    """Add a frame's crop to `crops` and its row to the record, or the reason why there is none."""
    frame, detection = look.frame, look.face
    if detection is None:
        record["frames_skipped"].append({"frame": frame, "reason": look.why, "detail": ""})
        return
    height, width = look.image.shape[:2]
    crop = square_crop(detection.box, height, width, settings.margin, settings.multiple, settings.square)
    if crop is None:
        detail = f"{width}×{height} px, smaller than {settings.multiple}"
        record["frames_skipped"].append({"frame": frame, "reason": "frame too small", "detail": detail})
        return
    pixels = look.image[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    _, png = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    video_id, name = record["video_id"], f"{frame:04d}"
    crops[f"{name}.png"] = png.tobytes()
    edges = ("box_left", "box_top", "box_right", "box_bottom")
    record["faces"].append(
        {
            "face_id": f"{video_id}/{name}",
            "video_id": video_id,
            "frame": frame,
            "side": crop.side,
            "path": f"{video_id}/{name}.png",
            **dict(zip(edges, detection.box, strict=True)),
            "crop_left": crop.left,
            "crop_top": crop.top,
            "frame_width": width,
            "frame_height": height,
            "probability": detection.probability,
            "sha256": hashlib.sha256(crops[f"{name}.png"]).hexdigest(),
        }
    )
