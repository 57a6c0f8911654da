"""Where faces come from: FaceForensics++ on the user's disk (the embedded sample is in `sample_source`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sr_deepfake.data.extraction import ExtractionSettings, ExtractionSummary, extract_faces
from sr_deepfake.data.layout import FORGERY_METHODS, PRISTINE, find_splits, list_videos
from sr_deepfake.data.manifest import MANIFEST, read_manifest, select
from sr_deepfake.errors import UserError


@dataclass(frozen=True)
class FaceSet:
    """Face crops of a data set.

    Attributes:
        name: of the data set.
        folder: where the manifest and the crops are.
        rows: the manifest.
    """

    name: str
    folder: Path
    rows: pd.DataFrame

    def of(self, split: str, forgery: str, frames: int | None = None) -> pd.DataFrame:
        """Rows of a split: the pristine faces and those of one forgery method.

        Args:
            split: "train", "val" or "test".
            forgery: the method.
            frames: at most so many faces a video, see `thin`; None: all.

        Raises:
            UserError: either class is missing; the message names the command that makes it.
        """
        rows = select(self.rows, split, [PRISTINE, forgery])
        if rows["label"].nunique() < 2:
            raise UserError(
                f"{self.folder / MANIFEST} has {int((rows['label'] == 0).sum())} pristine and "
                f"{int(rows['label'].sum())} {forgery} faces for {split}; both are needed. "
                f"`python -m sr_deepfake.prepare data={self.name}` with your data options makes them"
            )
        return rows if frames is None else thin(rows, frames)


def thin(rows: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Keep at most `frames` faces of each video, spread over its length.

    Example:
        >>> rows = pd.DataFrame({"video_id": ["a"] * 5 + ["b"], "frame": [0, 10, 20, 30, 40, 7]})
        >>> thin(rows, 2)["frame"].tolist()
        [0, 30, 7]
    """
    place = rows.groupby("video_id")["frame"].rank(method="first") - 1
    count = rows.groupby("video_id")["frame"].transform("size")
    # Of n faces, those are kept where place × frames / n passes a whole number.
    kept = (count <= frames) | ((place * frames) % count < frames)
    return rows[kept].reset_index(drop=True)


class FaceForensics:
    """FaceForensics++ in its official layout.

    Args:
        root: of the data set, with `original_sequences/` and `manipulated_sequences/`.
        compression: folder of the compression level: "raw" (= "c0"), "c23" or "c40".
        crops: where the face crops and the manifest are kept.
        settings: of the face extraction; None: the defaults.
        splits: folder of the three split files; None: looked for in the data set.
        workers: processes that find faces; None: one a core.
    """

    name = "ffpp"

    def __init__(
        self,
        root: str | None,
        compression: str = "c23",
        crops: str = "outputs/faces/ffpp-c23",
        settings: ExtractionSettings | None = None,
        splits: str | None = None,
        workers: int | None = None,
    ) -> None:
        self.root = root
        self.compression = compression
        self.crops = Path(crops).expanduser()
        self.settings = replace(settings or ExtractionSettings(), dataset=f"{self.name}-{compression}")
        self.splits = splits
        self.workers = workers

    def prepare(
        self, methods: Sequence[str] | None = None, shard: tuple[int, int] = (0, 1), progress: bool = True
    ) -> ExtractionSummary:
        """Find the faces of the pristine videos and those of `methods` (default: all) that are not done yet."""
        if self.root is None:
            raise UserError(
                "data=ffpp needs to know where FaceForensics++ is: data.root=/path/to/FaceForensics++"
            )
        methods = list(FORGERY_METHODS if methods is None else methods)
        root = Path(self.root).expanduser()
        splits = find_splits(root, Path(self.splits).expanduser() if self.splits else None)
        videos = list_videos(root, splits, methods, self.compression)
        return extract_faces(
            videos, self.crops, self.settings, workers=self.workers, shard=shard, progress=progress
        )

    def faces(self, methods: Sequence[str]) -> FaceSet:
        """The faces that `prepare` found; the videos themselves are not needed any more."""
        manifest = self.crops / MANIFEST
        if not manifest.is_file():
            raise UserError(
                f"there are no face crops yet: {manifest} is missing. Make them once with "
                f"`python -m sr_deepfake.prepare data=ffpp data.root={self.root or '/path/to/FaceForensics++'} "
                f"data.compression={self.compression}`, or name the folder where they are with data.crops=..."
            )
        return FaceSet(self.name, self.crops, read_manifest(manifest))
