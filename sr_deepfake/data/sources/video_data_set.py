"""What data sets of videos have in common: their faces are found once, and kept."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from sr_deepfake.data.extraction.pipeline import ExtractionSummary, extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings, check_settings
from sr_deepfake.data.manifest import MANIFEST, FaceSet, Video, read_manifest
from sr_deepfake.data.sources.layouts import not_found
from sr_deepfake.system.errors import UserError, choose


class VideoDataSet:
    """A data set of videos with a layout of its own; subclasses list them.

    Args:
        root: its folder.
        crops: where the face crops and the manifest are kept.
        settings: of the face extraction; None: the defaults.
        workers: processes that find faces; None: one a core.
        device: what finds faces, "auto", "cpu" or "gpu".
    """

    name: ClassVar[str]
    methods: Sequence[str]
    title: ClassVar[str]  # as people call it
    level = ""  # of the compression, where it has several
    disjoint = True  # whether nobody is in two of its splits

    def __init__(
        self,
        root: str | None,
        crops: str,
        settings: ExtractionSettings | None = None,
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.root = root
        self.crops = Path(crops).expanduser()
        self.settings = replace(
            settings or ExtractionSettings(), dataset="-".join(filter(None, [self.name, self.level]))
        )
        self.workers = workers
        self.device = device

    def videos(self, root: Path, methods: Sequence[str]) -> list[Video]:
        """List the pristine videos and those of some methods, with their splits.

        Raises:
            DataNotFoundError: they are not there.
        """
        raise NotImplementedError

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> ExtractionSummary:
        """Find the faces of the pristine videos and those of `methods` (default: all) that are not done yet."""
        if self.root is None:
            raise UserError(
                f"data={self.name} needs to know where {self.title} is: data.root=/path/to/{self.title}"
            )
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise not_found(root, self.name, "the folder does not exist")
        videos = self.videos(root, self.chosen(methods))
        return extract_faces(
            videos,
            self.crops,
            self.settings,
            self.workers,
            shard,
            progress,
            device=self.device,
            disjoint=self.disjoint,
        )

    def require_faces(self) -> None:
        """See that `prepare` has found faces, with these settings.

        Raises:
            UserError: it has not; the message names the command.
        """
        manifest = self.crops / MANIFEST
        if not manifest.is_file():
            level = f" data.compression={self.level}" if self.level else ""
            root = self.root or f"/path/to/{self.title}"
            raise UserError(
                f"there are no face crops yet: {manifest} is missing. Make them once with "
                f"`python -m sr_deepfake.prepare data={self.name} data.root={root}{level}`, or name "
                "the folder where they are with data.crops=..."
            )
        check_settings(self.crops, self.settings)

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces that `prepare` found; the videos themselves are not needed any more."""
        self.chosen(methods)
        self.require_faces()
        return FaceSet(self.name, self.crops, read_manifest(self.crops / MANIFEST))

    def chosen(self, methods: Sequence[str] | None) -> list[str]:
        """The methods that are wished, or all.

        Raises:
            UserError: the data set does not know one.
        """
        return [choose(method, self.methods, "forgery method") for method in methods or self.methods]
