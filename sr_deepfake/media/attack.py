"""Attacks files one after the other; a file that fails is reported, and the others are attacked."""

import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import Progress
from torch import nn

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import Find, Picture, attack_crops
from sr_deepfake.media.files import PREVIEW, Job
from sr_deepfake.media.image import attack_photo
from sr_deepfake.media.outcomes import Outcome, describe, explain, write_report
from sr_deepfake.media.photo import QUALITY, check_output, read_photo_file, save_image, write_photo_file
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
    """Settings for reading and writing photos."""

    quality: int = QUALITY  # of lossy WebP, and of a JPEG that was none, 1 to 100
    max_pixels: int = MAX_PIXELS  # a photo of more is refused

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise UserError(f"photo.quality={self.quality}: it goes from 1 to 100")


@dataclass
class FileAttacker:
    """Attacks one file."""

    attack: nn.Module
    finder: Find
    scorer: FaceScorer | None
    photo: PhotoSettings
    video: VideoSettings
    device: torch.device | str = "cpu"
    preview: bool = False
    overwrite: bool = False
    video_finder: Find | None = None  # where videos need another

    def __call__(self, job: Job, frames: Frames) -> Outcome:
        """Attack a file; where it cannot be attacked, nothing is written."""
        if job.target.exists() and not self.overwrite:
            return Outcome(job, "exists")
        if self.scorer is not None:
            self.scorer.reset()
        if is_video(job.source):
            finder, watch = self.video_finder or self.finder, None if self.scorer is None else self.scorer.add
            found = attack_video(job.source, job.target, finder, self._attack_faces, self.video, frames, watch)
        else:
            found = self._photo(job)
        return found if self.scorer is None else replace(found, scores=self.scorer.finish())

    def _attack_faces(self, faces: Sequence[Picture]) -> list[Picture]:
        return attack_crops(self.attack, faces, self.device)

    def _photo(self, job: Job) -> Outcome:
        check_output(job.target)
        photo = read_photo_file(job.source, self.photo.max_pixels)
        kind = check_output(job.target, photo)
        clean = photo.rgb() if self.preview else None
        found, before, after = attack_photo(photo, self.finder, self._attack_faces, self.video.feather)
        if self.scorer is not None:
            self.scorer.add(before, after)
        outcome = Outcome(job, "attacked" if before else "no face", len(before), found.too_small, 1)
        if not before and kind == photo.format:
            with replacing(job.target) as temporary:
                shutil.copyfile(job.source, temporary)
            return outcome
        write_photo_file(photo, job.target, self.photo.quality)
        sheet = longer_name(job.target, PREVIEW)
        if clean is not None and before and sheet.exists() and not self.overwrite:
            photo.dropped.append("the preview, whose file exists (overwrite=true replaces it)")
        elif clean is not None and before:
            labels = [
                [f"fake {score:.2f}" for score in self.scorer.scores(faces, attacked)] if self.scorer else []
                for faces, attacked in ((before, False), (after, True))
            ]
            save_image(side_by_side(clean, photo.rgb(), found.crops, (labels[0], labels[1])), sheet, "PNG")
        return replace(outcome, left_out=photo.dropped)


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
