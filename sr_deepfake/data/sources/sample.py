"""The embedded sample as a source of faces: it makes itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sr_deepfake.data.extraction.pipeline import ExtractionSummary, extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import FORGERY_METHODS, MANIFEST, FaceSet, read_manifest
from sr_deepfake.data.sample.build import COMPRESSION, build_sample, sample_folder
from sr_deepfake.data.sources.ffpp import find_splits, list_videos


class Sample:
    """The embedded miniature FaceForensics++ of generated people; makes itself in a cache, only what is asked for.

    Args:
        cache: folder of what is made once a machine; `~` is understood.
        settings: of the face extraction; None: the defaults.
        workers: processes that make clips and find faces; None: one a core.
        device: what finds faces, "auto", "cpu" or "gpu".
    """

    name = "sample"
    methods = FORGERY_METHODS
    # Shown with every figure.
    illustration = (
        "Illustration only: data=sample shows generated people and synthetic forgeries made by classical image "
        "processing. The figures say nothing about FaceForensics++."
    )

    def __init__(
        self,
        cache: str = "~/.cache/sr_deepfake",
        settings: ExtractionSettings | None = None,
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.root = sample_folder(Path(cache).expanduser())
        self.settings = replace(settings or ExtractionSettings(), dataset=self.name)
        self.workers = workers
        self.device = device

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> ExtractionSummary:
        """Make the clips that are missing and find their faces; pristine ones and those of `methods` (default: all)."""
        methods = list(FORGERY_METHODS if methods is None else methods)
        build_sample(self.root, methods, workers=self.workers, progress=progress)
        videos = list_videos(self.root, find_splits(self.root), methods, COMPRESSION)
        faces = self.root / f"faces{self.settings.suffix}"
        return extract_faces(videos, faces, self.settings, self.workers, shard, progress, device=self.device)

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces of pristine clips and of some methods, made now if they are not there."""
        summary = self.prepare(methods)
        return FaceSet(self.name, summary.folder, read_manifest(summary.folder / MANIFEST))
