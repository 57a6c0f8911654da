"""Words of a data set, and its manifest `faces.parquet`: one row a face, all that training and evaluation know."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

PRISTINE = "pristine"
FORGERY_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
SPLITS = ("train", "val", "test")
MANIFEST = "faces.parquet"
_MEND = "Delete it and make it again with: python -m sr_deepfake.prepare data=…"

SCHEMA = pa.schema(
    [
        ("face_id", pa.string()),  # <method>/<stem>/<frame, four digits>
        ("video_id", pa.string()),  # <method>/<stem>
        ("method", pa.string()),  # pristine, or the forgery method
        ("label", pa.int64()),  # 1 = fake
        ("split", pa.string()),  # train, val or test
        ("target", pa.string()),  # identity whose video it is
        ("source", pa.string()),  # identity put there; empty if pristine
        ("frame", pa.int64()),  # index in the video
        ("side", pa.int64()),  # of the crop, px
        ("path", pa.string()),  # of the PNG, relative to the manifest's folder
        ("box_left", pa.float64()),  # detected box, px of the frame, before the margin
        ("box_top", pa.float64()),
        ("box_right", pa.float64()),
        ("box_bottom", pa.float64()),
        ("crop_left", pa.int64()),  # px of the frame
        ("crop_top", pa.int64()),
        ("frame_width", pa.int64()),  # px
        ("frame_height", pa.int64()),
        ("probability", pa.float64()),  # the face detector's
        ("sha256", pa.string()),  # of the PNG file's bytes, hexadecimal
    ]
)


class DataNotFoundError(UserError, FileNotFoundError):
    """Something that the user has to provide is not where it was looked for; the message says what to do."""


@dataclass(frozen=True)
class Video:
    """One video of the data set.

    Attributes:
        video_id: `<method>/<file stem>`.
        method: `pristine` or one of `FORGERY_METHODS`.
        label: 1 for a fake, 0 for a pristine video.
        split: `train`, `val` or `test`.
        target: identity whose video it is.
        source: identity whose face or expression was put there; empty if pristine.
        path: the file, whether it exists or not.
        mask: video of what was manipulated, white on black; None: there is none.
    """

    video_id: str
    method: str
    label: int
    split: str
    target: str
    source: str
    path: Path
    mask: Path | None = None

    @property
    def stem(self) -> str:
        """The video's name: `TTT` or `TTT_SSS`."""
        return self.video_id.split("/", 1)[1]


class ManifestError(UserError, ValueError):
    """A manifest lacks what was asked of it."""


def write_manifest(rows: Iterable[dict[str, object]], path: Path | str) -> None:
    """Write a manifest, whole or not at all. The same rows in the same order give the same bytes.

    Args:
        rows: one mapping a face, with the keys of `SCHEMA`.
        path: where the Parquet file goes.

    Raises:
        ManifestError: when a row lacks a column or has one too many.
    """
    path = Path(path)
    rows = list(rows)
    for row in rows:
        if set(row) != set(SCHEMA.names):
            raise ManifestError(
                f"A face's row must have exactly the columns {SCHEMA.names}, not {sorted(row)}."
            )
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd", version="2.6", store_schema=False)


def read_manifest(path: Path | str) -> pd.DataFrame:
    """Read a manifest.

    Args:
        path: the Parquet file, or the folder that holds it as `faces.parquet`.

    Returns:
        One row a face, with the columns of `SCHEMA` in their order.

    Raises:
        DataNotFoundError: when there is no such file.
        ManifestError: when it is no Parquet file, lacks columns, or names a face twice.
    """
    path = Path(path)
    if path.is_dir():
        path = path / MANIFEST
    if not path.is_file():
        raise DataNotFoundError(
            f"There is no manifest {path}. Make it with: python -m sr_deepfake.prepare data=…"
        )
    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas()
    except pa.ArrowInvalid as error:
        raise ManifestError(f"{path} is not a readable Parquet file ({error}). {_MEND}") from error
    missing = [name for name in SCHEMA.names if name not in frame.columns]
    if missing:
        raise ManifestError(f"The manifest {path} lacks the columns {', '.join(missing)}. {_MEND}")
    twice = frame["face_id"][frame["face_id"].duplicated()]
    if len(twice):
        raise ManifestError(f"The manifest {path} names the face {twice.iloc[0]} twice. {_MEND}")
    columns: pd.DataFrame = frame[SCHEMA.names]
    return columns


def fingerprint(rows: pd.DataFrame) -> str:
    """Hash of a set of faces: which they are, their pixels, their labels and their splits.

    The order of the rows does not matter.

    >>> faces = pd.DataFrame({"face_id": ["a/1", "a/2"], "sha256": ["0", "1"], "label": 1, "split": "val"})
    >>> fingerprint(faces) == fingerprint(faces[::-1])
    True
    >>> fingerprint(faces) == fingerprint(faces.assign(label=0))
    False
    """
    columns = (rows[name] for name in ("face_id", "sha256", "label", "split"))
    lines = sorted("\t".join(map(str, values)) for values in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def select(
    manifest: pd.DataFrame, split: str | None = None, methods: Sequence[str] | None = None
) -> pd.DataFrame:
    """Rows of a split and of some methods.

    Args:
        manifest: from `read_manifest`.
        split: `train`, `val` or `test`; None for all.
        methods: some of `pristine` and the forgery methods; None for all.

    Returns:
        The rows, in their order, with a new index from 0. None is left when the manifest has no such face.

    >>> faces = pd.DataFrame({"method": ["pristine", "FaceSwap"], "split": ["val", "val"]})
    >>> select(faces, "val", ["FaceSwap"])
         method split
    0  FaceSwap   val
    """
    chosen = pd.Series(True, index=manifest.index)
    if split is not None:
        chosen &= manifest["split"] == split
    if methods is not None:
        chosen &= manifest["method"].isin(list(methods))
    return manifest[chosen].reset_index(drop=True)


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
            UserError: either class is missing; the message names the command that makes it. (Where all faces of the
                test are real, or all are fakes, they are a test set all the same.)
        """
        rows = select(self.rows, split, [PRISTINE, forgery])
        one_class = split == "test" and len(rows) > 0 and len(set(select(self.rows, split)["label"])) == 1
        if rows["label"].nunique() < 2 and not one_class:
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
