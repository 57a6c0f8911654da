"""Attacks files one after the other; a file that fails is reported, and the others are attacked."""

import io
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from rich.progress import Progress
from torch import nn

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.media.face_scores import FaceScorer, FaceScores
from sr_deepfake.media.faces import FaceFinder, attack_crops
from sr_deepfake.media.files import Job
from sr_deepfake.media.image import attack_photo
from sr_deepfake.media.outcomes import Outcome, describe, explain, write_report
from sr_deepfake.media.photo import QUALITY, check_output, read_photo_file, write_photo_file
from sr_deepfake.media.preview import side_by_side
from sr_deepfake.media.video.attack import VideoSettings, attack_video
from sr_deepfake.system.console import progress_bars
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import longer_name, printable, replacing
from sr_deepfake.system.photos import MAX_PIXELS

log = logging.getLogger(__name__)

Frames = Callable[[int, int | None], None]  # called with the frames of a video that are done, and their number


@dataclass(frozen=True)
class PhotoSettings:
    """Settings for reading and writing photos.

    Attributes:
        quality: of lossy WebP, and of a JPEG that was none, 1 to 100.
        max_pixels: a photo of more is refused.

    Raises:
        UserError: the quality is out of range.
    """

    quality: int = QUALITY
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise UserError(f"photo.quality={self.quality}: it goes from 1 to 100")


class FileAttacker:
    """Attacks one file."""

    def __init__(
        self,
        attack: nn.Module,
        finder: FaceFinder,
        scorer: FaceScorer | None,
        photo: PhotoSettings,
        video: VideoSettings,
        device: torch.device | str = "cpu",
        preview: bool = False,
        overwrite: bool = False,
        video_finder: FaceFinder | None = None,
    ) -> None:
        self.attack_faces = partial(attack_crops, attack, device=device)
        self.finder = finder
        self.video_finder = video_finder or finder
        self.scorer = scorer
        self.photo_settings = photo
        self.video_settings = video
        self.preview = preview
        self.overwrite = overwrite

    def __call__(self, job: Job, frames: Frames) -> Outcome:
        """Attack a file; where it cannot be attacked, nothing is written."""
        if job.target.exists() and not self.overwrite:
            return Outcome(job, "exists")
        if self.scorer is not None:
            self.scorer.reset()
        found = self._video(job, frames) if is_video(job.source) else self._photo(job)
        return replace(found, scores=self.scorer.finish() if self.scorer is not None else FaceScores())

    def _photo(self, job: Job) -> Outcome:
        check_output(job.target)
        photo = read_photo_file(job.source, self.photo_settings.max_pixels)
        kind = check_output(job.target, photo)
        clean = photo.rgb() if self.preview else None
        done = attack_photo(photo, self.finder, self.attack_faces, self.video_settings.feather)
        if self.scorer is not None:
            self.scorer.add(done.before, done.after)
        if not done.before and kind == photo.format:
            with replacing(job.target) as temporary:
                shutil.copyfile(job.source, temporary)
            return Outcome(job, "no face", 0, done.found.too_small, 1)
        write_photo_file(photo, job.target, self.photo_settings.quality)
        if clean is not None and done.before:
            labels = [
                [f"fake {score:.2f}" for score in self.scorer.scores(faces, attacked)] if self.scorer else []
                for faces, attacked in ((done.before, False), (done.after, True))
            ]
            buffer = io.BytesIO()
            side_by_side(clean, photo.rgb(), done.found.crops, (labels[0], labels[1])).save(buffer, "PNG")
            with replacing(longer_name(job.target, ".preview.png")) as temporary:
                temporary.write_bytes(buffer.getvalue())
        status = "attacked" if done.before else "no face"
        return Outcome(job, status, len(done.before), done.found.too_small, 1, left_out=photo.dropped)

    def _video(self, job: Job, frames: Frames) -> Outcome:
        watch = None if self.scorer is None else self.scorer.add
        report = attack_video(
            job.source, job.target, self.video_finder, self.attack_faces, self.video_settings, frames, watch
        )
        fault = f"{printable(str(job.source))}: {report.damage}" if report.damage else ""
        status = "attacked" if report.faces else "no face"
        return Outcome(
            job, status, report.faces, report.too_small, report.frames, fault=fault, left_out=report.left_out
        )


def attack_files(
    jobs: Sequence[Job], attack_one: Callable[[Job, Frames], Outcome], report: Path | None = None, show: bool = True
) -> list[Outcome]:
    """Attack files one after the other, and print a line about each."""
    outcomes: list[Outcome] = []
    try:
        with progress_bars("files", show) as bars:
            files = bars.add_task("Attacking", total=len(jobs))
            for job in jobs:
                outcomes.append(_attempt(job, attack_one, bars))
                print(describe(outcomes[-1]), file=sys.stderr if outcomes[-1].fault else sys.stdout)
                bars.advance(files)
    finally:
        if report is not None:
            write_report(report, outcomes)
    return outcomes


def _attempt(job: Job, attack_one: Callable[[Job, Frames], Outcome], bars: Progress) -> Outcome:
    frames = bars.add_task(printable(job.source.name)[:30], total=None, visible=False)
    try:
        return attack_one(job, lambda done, total: bars.update(frames, completed=done, total=total, visible=True))
    except Exception as error:  # whatever a file makes a codec do, the others are attacked
        log.debug("%s", printable(str(job.source)), exc_info=True)
        return Outcome(job, "failed", fault=explain(error, job))
    finally:
        bars.remove_task(frames)
