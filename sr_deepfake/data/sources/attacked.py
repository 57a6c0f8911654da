"""The test videos of a data set, attacked as files, with their faces found again: what a detector meets in the end."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.manifest import PRISTINE, FaceSet, read_manifest, videos_of, write_videos
from sr_deepfake.data.sources.data_set import DataSet
from sr_deepfake.system.console import track
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import safe_name

log = logging.getLogger(__name__)


class AttackedVideos:
    """A source of faces whose videos an attack has been through; videos that are there are not attacked again.

    Args:
        source: of the videos.
        method: the forgery method whose fakes are tested.
        attack: (video, new file): attacks the faces of a video and writes it.
        label: of the attack, for names.
        folder: of the attacked videos and their faces.
        most: test videos of each class, in the order of their names; None: all.
        progress: show it.
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
        """Attack the test videos, and find their faces.

        Raises:
            UserError: there are no videos (face crops alone cannot be attacked as videos), or no faces in them.
        """
        known = self.source.faces(methods).rows  # the test videos are those that gave faces, in their splits
        tested = known[known["split"] == "test"]["video_id"]
        table = self.source.videos().assign(split="test")
        test = table[table["video_id"].isin(tested)]
        test = test[test["method"].isin([PRISTINE, self.method])].sort_values("video_id")
        test = test if self.most is None else test.groupby("label").head(self.most)
        files = [str(self._file(*map(str, pair))) for pair in zip(test["video_id"], test["path"], strict=True)]
        attacked = test.assign(path=files)
        self.folder.mkdir(parents=True, exist_ok=True)
        pairs = list(zip(test["path"], attacked["path"], strict=True))
        missing = [pair for pair in pairs if not Path(pair[1]).exists()]
        with FileLock(self.folder / ".lock"):  # another job with the same videos waits, and finds them
            for before, after in track(missing, len(missing), "Attacking videos", "videos", self.progress):
                try:
                    if not Path(after).exists():
                        self.attack(Path(before), Path(after))
                except (SourceError, UserError) as error:
                    log.warning("%s is left out: %s", before, error)
        there = attacked[[Path(path).exists() for path in attacked["path"]]]
        if there.empty:
            raise UserError(
                f"experiment=end_to_end needs the videos of data={self.source.name}, and none could be attacked"
            )
        faces = self.folder / f"faces-{safe_name(self.method)}"
        faces.mkdir(parents=True, exist_ok=True)
        write_videos(there, faces / "videos.csv")
        settings = self.source.settings
        extract_faces(
            videos_of(there), faces, settings, self.source.workers, progress=self.progress, device=self.source.device
        )
        return FaceSet(self.name, faces, read_manifest(faces, there), self.source.margin)

    def _file(self, video_id: str, path: str) -> Path:
        before = Path(path)
        suffix = before.suffix.lower() if before.suffix.lower() in (".mp4", ".mkv", ".mov", ".avi") else ".mp4"
        # Its own name, by which frames are drawn: the same ones as before the attack.
        return self.folder / "videos" / safe_name(video_id) / f"{before.stem}{suffix}"
