"""Attacks files one after the other: what fails is told and stops no other."""

import io
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.media.face_scores import FaceScorer, FaceScores
from sr_deepfake.media.faces import FaceFinder, Picture, attack_crops
from sr_deepfake.media.files import Job
from sr_deepfake.media.image import AttackedFaces, attack_photo
from sr_deepfake.media.outcomes import Outcome, describe, explain, write_report
from sr_deepfake.media.photo import QUALITY, Photo, check_output, read_photo_file, write_photo_file
from sr_deepfake.media.preview import side_by_side
from sr_deepfake.media.video.attack import VideoSettings, attack_video
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import longer_name, printable, replacing
from sr_deepfake.system.photos import MAX_PIXELS

log = logging.getLogger(__name__)

Frames = Callable[[int, int | None], None]  # told after each frames of a video: how many are done, of how many


@dataclass(frozen=True)
class PhotoSettings:
    """Settings for reading and writing photos.

    Attributes:
        quality: of JPEG and lossy WebP, 1 to 100.
        max_pixels: a photo of more is refused.
    """

    quality: int = QUALITY
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UserError: it does not.
        """
        if not 1 <= self.quality <= 100:
            raise UserError(f"photo.quality={self.quality}: it goes from 1 to 100")


class FileAttacker:
    """Attacks one file.

    Args:
        attack: B×3×S×S faces in [0, 1] → attacked faces, on `device`.
        finder: finds the faces of photos.
        scorer: measures them; None measures nothing.
        photo: settings of photos.
        video: settings of videos.
        device: where the attack is.
        feather: px over which a face's border blends in.
        preview: also write `<output>.preview.png` or `.mp4`, both versions side by side.
        overwrite: take the place of files that are there.
        video_finder: finds the faces of videos; None: as in photos.
    """

    def __init__(
        self,
        attack: nn.Module,
        finder: FaceFinder,
        scorer: FaceScorer | None,
        photo: PhotoSettings,
        video: VideoSettings,
        device: torch.device | str = "cpu",
        feather: int = 0,
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
        self.feather = feather
        self.preview = preview
        self.overwrite = overwrite

    def __call__(self, job: Job, frames: Frames) -> Outcome:
        """Attack a file.

        Args:
            job: which, and where to.
            frames: told how far a video is.

        Raises:
            Exception: it cannot be attacked; then nothing is written.
        """
        if job.target.exists() and not self.overwrite:
            return Outcome(job, "there already")
        if self.scorer is not None:
            self.scorer.reset()
        return self._video(job, frames) if is_video(job.source) else self._photo(job)

    def _photo(self, job: Job) -> Outcome:
        check_output(job.target)
        photo = read_photo_file(job.source, self.photo_settings.max_pixels)
        kind = check_output(job.target, photo)
        clean = photo.rgb() if self.preview else None
        done = attack_photo(photo, self.finder, self.attack_faces, self.feather)
        if done.before or kind != photo.format:
            write_photo_file(photo, job.target, self.photo_settings.quality)
            note = f"left out: {', '.join(photo.dropped)}" if photo.dropped else ""
        else:
            copy_whole(job.source, job.target)
            note = ""
        if clean is not None and done.before:
            self._write_preview(job.target, clean, photo, done)
        status = "attacked" if done.before else "no face"
        return Outcome(job, status, len(done.before), done.found.too_small, 1, self._measured(done), note=note)

    def _video(self, job: Job, frames: Frames) -> Outcome:
        preview = longer_name(job.target, ".preview.mp4") if self.preview else None
        seen: dict[int, tuple[list[Picture], list[Picture]]] = {}

        def watch(index: int, crops: list[Crop], before: list[Picture], after: list[Picture]) -> None:
            if self.scorer is not None:
                self.scorer.add(before, after)
                seen.clear()
                seen[index] = before, after

        def labels(index: int) -> tuple[list[str], list[str]]:
            before, after = seen.get(index, ([], []))
            return self.labels(before), self.labels(after, attacked=True)

        try:
            report = attack_video(
                job.source,
                job.target,
                self.video_finder,
                self.attack_faces,
                replace(self.video_settings, feather=self.feather, preview=preview),
                frames,
                watch,
                labels,
            )
        finally:
            scores = self.scorer.finish() if self.scorer is not None else FaceScores()
        source = printable(str(job.source))
        fault = f"{source}: {'; '.join(map(str, report.gaps))}" if report.gaps else ""
        return Outcome(
            job,
            "attacked" if report.faces else "no face",
            report.faces,
            report.too_small,
            report.frames,
            scores,
            fault,
            f"left out: {', '.join(report.left_out)}" if report.left_out else "",
        )

    def _measured(self, done: AttackedFaces) -> FaceScores:
        if self.scorer is None:
            return FaceScores()
        self.scorer.add(done.before, done.after)
        return self.scorer.finish()

    def _write_preview(self, target: Path, clean: Picture, photo: Photo, done: AttackedFaces) -> None:
        sheet = side_by_side(
            clean, photo.rgb(), done.found.crops, (self.labels(done.before), self.labels(done.after, attacked=True))
        )
        buffer = io.BytesIO()
        Image.fromarray(sheet).save(buffer, "PNG")
        with replacing(longer_name(target, ".preview.png")) as beside:
            beside.write_bytes(buffer.getvalue())

    def labels(self, faces: Sequence[Picture], attacked: bool = False) -> list[str]:
        """Labels of the preview's faces: their probability of fake, if there is a detector."""
        return [f"fake {score:.2f}" for score in self.scorer.scores(faces, attacked)] if self.scorer else []


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file's bytes; the copy appears whole or not at all."""
    with replacing(target) as beside:
        shutil.copyfile(source, beside)


def attack_files(
    jobs: Sequence[Job], attack_one: Callable[[Job, Frames], Outcome], report: Path | None = None, show: bool = True
) -> list[Outcome]:
    """Attack files one after the other, and tell of each what became of it.

    Args:
        jobs: the files.
        attack_one: attacks one; see `FileAttacker`.
        report: where the table of outcomes is written, after an interruption too; None writes none.
        show: how far it is, on a terminal.

    Returns:
        One outcome a file.
    """
    outcomes: list[Outcome] = []
    try:
        with tqdm(total=len(jobs), desc="Attacking", unit="file", disable=None if show else True) as bar:
            for job in jobs:
                outcomes.append(_attempt(job, attack_one, show))
                bar.write(describe(outcomes[-1]), file=sys.stderr if outcomes[-1].fault else sys.stdout)
                bar.update()
    finally:
        if report is not None:
            write_report(report, outcomes)
    return outcomes


def _attempt(job: Job, attack_one: Callable[[Job, Frames], Outcome], show: bool) -> Outcome:
    with _FrameBar(job, show) as frames:
        try:
            return attack_one(job, frames)
        except Exception as error:  # whatever a file makes a codec do, the others are attacked
            log.debug("%s", printable(str(job.source)), exc_info=True)
            return Outcome(job, "failed", fault=explain(error, job))


class _FrameBar:
    """A second bar below the first, for the frames of a video, once there are any."""

    def __init__(self, job: Job, show: bool) -> None:
        self.title, self.show = printable(job.source.name)[:30], show
        self.bar: tqdm | None = None

    def __enter__(self) -> "_FrameBar":
        return self

    def __exit__(self, *args: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, done: int, total: int | None) -> None:
        if self.bar is None:
            disable = None if self.show else True
            self.bar = tqdm(desc=self.title, unit="frame", total=total, leave=False, disable=disable)
        self.bar.update(done - self.bar.n)
