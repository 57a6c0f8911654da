"""The test videos of a data set, attacked as files, with their faces found again: what a detector meets in the end."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.records import source_state
from sr_deepfake.data.manifest import PRISTINE, FaceSet, read_manifest, videos_of, write_videos
from sr_deepfake.data.sources.data_set import DataSet
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import safe_name

log = logging.getLogger(__name__)


class AttackedVideos:
    """A source of faces whose test videos `attack(video, new file)` has been through, at most `most` of each class.

    Attacked videos and their faces are kept in `folder`: what is there is attacked again only where the video has changed.
    """

    def __init__(
        self,
        source: DataSet,
        method: str,
        attack: Callable[[Path, Path], None],
        label: str,
        folder: Path,
        most: int | None = None,
        progress: bool = True,
    ) -> None:
        self.name = f"{source.name}, videos attacked by {label}"
        self.source, self.method, self.attack, self.folder = source, method, attack, folder
        self.most, self.progress = most, progress
        self.illustration = source.illustration

    @property
    def methods(self) -> Sequence[str]:
        """Its forgery methods."""
        return self.source.methods

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """Attack the test videos, and find their faces."""
        known = self.source.faces(methods).rows  # the test videos are those that gave faces, in their splits
        tested = known[known["split"] == "test"]["video_id"]
        table = self.source.videos().assign(split="test")
        test = table[table["video_id"].isin(tested)]
        test = test[test["method"].isin([PRISTINE, self.method])].sort_values("video_id")
        test = test if self.most is None else test.groupby("label").head(self.most)
        files = [str(self._file(*map(str, pair))) for pair in zip(test["video_id"], test["path"], strict=True)]
        attacked = test.assign(path=files)
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".lock"):  # another job with the same videos waits, and finds them
            pairs = zip(map(Path, test["path"]), map(Path, files), strict=True)
            missing = [(before, after) for before, after in pairs if not _is_made_of(before, after)]
            for before, after in track(missing, len(missing), "Attacking videos", "videos", self.progress):
                after.unlink(missing_ok=True)
                try:
                    self.attack(before, after)
                    os.utime(after, ns=(before.stat().st_mtime_ns,) * 2)
                except (SourceError, UserError) as error:
                    log.warning("%s is left out: %s", before, error)
        there = attacked[[Path(path).exists() for path in attacked["path"]]]
        if there.empty:
            raise UserError(
                f"experiment=end_to_end needs the videos of data={self.source.name}, and none could be attacked"
            )
        faces = self.folder / f"faces-{safe_name(self.method)}"
        write_videos(there, faces / "videos.csv")
        source = self.source
        extract_faces(
            videos_of(there), faces, source.settings, source.workers, progress=self.progress, device=source.device
        )
        return FaceSet(self.name, faces, read_manifest(faces, there), source.margin)

    def _file(self, video_id: str, path: str) -> Path:
        before = Path(path)
        suffix = before.suffix.lower() if before.suffix.lower() in (".mp4", ".mkv", ".mov", ".avi") else ".mp4"
        # Its own name, by which frames are drawn: the same ones as before the attack.
        return self.folder / "videos" / safe_name(video_id) / f"{before.stem}{suffix}"


def _is_made_of(before: Path, after: Path) -> bool:
    """Whether an attacked video is there, with the time of change that it got from its source."""
    made_of, now = source_state(after)[1], source_state(before)[1]
    # Some file systems keep every other second.
    return made_of is not None and (now is None or abs(made_of - now) < 2_000_000_000)
