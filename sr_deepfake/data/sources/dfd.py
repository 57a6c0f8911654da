"""DeepFakeDetection (Google), which comes with FaceForensics++.

    <root>/original_sequences/actors/{raw|c0|c23|c40}/videos/NN__scene.mp4
    <root>/manipulated_sequences/DeepFakeDetection/{raw|c0|c23|c40}/videos/AA_BB__scene__HASH.mp4

It has no official split: all of it is the test set, for detectors that were trained on other data.
"""

from collections.abc import Sequence
from pathlib import Path

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.data.manifest import PRISTINE, Video
from sr_deepfake.data.sources.layouts import not_found
from sr_deepfake.data.sources.video_data_set import VideoDataSet

METHOD = "DeepFakeDetection"


class DeepFakeDetection(VideoDataSet):
    """DeepFakeDetection.

    Args:
        root: as of `VideoDataSet`.
        compression: folder of the compression level: "raw" (= "c0"), "c23" or "c40".
        crops: as of `VideoDataSet`.
        settings: as of `VideoDataSet`.
        workers: as of `VideoDataSet`.
        device: as of `VideoDataSet`.
    """

    name = "dfd"
    title = "DeepFakeDetection"
    methods = (METHOD,)

    def __init__(
        self,
        root: str | None,
        compression: str = "c23",
        crops: str = "outputs/faces/dfd-c23",
        settings: ExtractionSettings | None = None,
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.level = compression
        super().__init__(root, crops, settings, workers, device)

    def videos(self, root: Path, methods: Sequence[str]) -> list[Video]:
        """List all videos, pristine ones first."""
        level = {"raw": "c0", "c0": "raw"}.get(self.level, self.level)
        videos = []
        for method, sequence in (
            (PRISTINE, "original_sequences/actors"),
            (METHOD, f"manipulated_sequences/{METHOD}"),
        ):
            folders = [root / sequence / name / "videos" for name in (self.level, level)]
            paths = sorted({path for folder in folders for path in folder.glob("*") if is_video(path)})
            if not paths:
                raise not_found(
                    root, self.name, f"{folders[0]} holds no video (data.compression={self.level})"
                )
            for path in paths:
                target, _, source = path.stem.partition("__")[0].partition("_")
                label = int(method != PRISTINE)
                videos.append(Video(f"{method}/{path.stem}", method, label, "test", target, source, path))
        return videos
