"""The faces of a data set: `faces.parquet`, one row a face, and `videos.csv`, one row a video, joined when they are read.

What was found in a video does not depend on the split that it is in: `faces.parquet` is written by the extraction, and
splits, identities and clusters come from the table of videos.
"""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sr_deepfake.metrics.clusters import components
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

log = logging.getLogger(__name__)

PRISTINE = "pristine"
FORGERY_METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "FaceShifter", "NeuralTextures")
SPLITS = ("train", "val", "test")
SPLIT_ORDER = {name: index for index, name in enumerate(SPLITS)}
MANIFEST, VIDEOS = "faces.parquet", "videos.csv"
_FIX = "Delete it and make it again with: python -m sr_deepfake.prepare data=…"

SCHEMA = pa.schema(
    [
        ("face_id", pa.string()),  # <method>/<stem>/<frame, four digits>
        ("video_id", pa.string()),  # <method>/<stem>
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
# Of a video: identities are those whose video it is and whose face or expression was put there ("" for pristine ones).
OF_VIDEO = ("method", "label", "split", "target", "source", "cluster")
VIDEO_COLUMNS = ("video_id", *OF_VIDEO, "path", "mask")


class DataNotFoundError(UserError, FileNotFoundError):
    """Something that the user has to provide is not where it was looked for; the message says what to do."""


class Video(NamedTuple):
    """A video to look for faces in."""

    video_id: str  # <method>/<stem>
    path: Path  # the file (or the folder of its frames), whether it exists or not
    mask: Path | None = None  # video of what was manipulated, white on black
    fake: bool = False


def video_table(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Make the table of videos of a data set.

    Args:
        rows: for each video at least `video_id` and `path`; also `method` (else what `video_id` begins with), `split`
            (""; drawn later), `target` (else the video itself), `source` (""; several are joined by "+"), `mask`, `cluster`
            (else the connected component of target and source). Of several with one `video_id` the first is taken.

    Returns:
        The columns `VIDEO_COLUMNS`, sorted by split, label and id.

    Example:
        >>> table = video_table([{"video_id": "pristine/a", "path": "a.mp4", "target": "a", "split": "test"},
        ...     {"video_id": "FaceSwap/a_b", "path": "a_b.mp4", "target": "a", "source": "b", "split": "test"}])
        >>> table[["video_id", "label", "cluster"]].values.tolist()
        [['pristine/a', 0, 'a'], ['FaceSwap/a_b', 1, 'a']]
    """
    table = pd.DataFrame(list(rows), columns=list(VIDEO_COLUMNS), dtype=object)
    if len(others := table["path"][table["video_id"].duplicated()].astype(str)):
        some = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        log.warning("Left out, since the one listed before has the same name: %s", some)
        table = table.drop_duplicates("video_id", ignore_index=True)
    table["method"] = table["method"].fillna(table["video_id"].str.partition("/")[0])
    table["label"] = (table["method"] != PRISTINE).astype(int)
    table["target"] = table["target"].replace("", None).fillna(table["video_id"])
    for name in ("split", "source", "mask"):
        table[name] = table[name].fillna("")
    if table["cluster"].isna().any():
        identities = [
            (str(target), *filter(None, str(source).split("+")))
            for target, source in zip(table["target"], table["source"], strict=True)
        ]
        table["cluster"] = components(identities)
    for name in ("path", "mask"):  # objects: pandas' own strings cannot hold names that are not UTF-8
        table[name] = pd.Series([str(path) for path in table[name]], dtype=object)
    order = table.assign(split=table["split"].map(SPLIT_ORDER).fillna(-1))
    return table.loc[order.sort_values(["split", "label", "video_id"], kind="stable").index].reset_index(drop=True)


def videos_of(table: pd.DataFrame) -> list[Video]:
    """The rows of a table of videos, to look for faces in."""
    rows = zip(table["video_id"], table["path"], table["mask"], table["label"], strict=True)
    return [Video(name, Path(path), Path(mask) if mask else None, bool(label)) for name, path, mask, label in rows]


class ManifestError(UserError, ValueError):
    """A manifest lacks what was asked of it."""


def write_manifest(rows: Iterable[dict[str, object]], path: Path | str) -> None:
    """Write a manifest, whole or not at all. The same rows in the same order give the same bytes."""
    rows = list(rows)
    for row in rows:
        if set(row) != set(SCHEMA.names):
            raise ManifestError(f"A face's row must have exactly the columns {SCHEMA.names}, not {sorted(row)}.")
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    with replacing(Path(path)) as temporary:
        pq.write_table(table, temporary, compression="zstd", version="2.6", store_schema=False)


def write_videos(table: pd.DataFrame, path: Path) -> None:
    """Write a table of videos, whole or not at all (names that are not UTF-8 as their bytes)."""
    with replacing(path) as temporary:
        table[list(VIDEO_COLUMNS)].to_csv(
            temporary, index=False, lineterminator="\n", encoding="utf-8", errors="surrogateescape"
        )


def read_videos(path: Path) -> pd.DataFrame:
    """Read a table of videos that `write_videos` wrote."""
    if not path.is_file():
        raise DataNotFoundError(
            f"There is no table of videos {path}. Make it with: python -m sr_deepfake.prepare data=…"
        )
    table = pd.read_csv(path, dtype=object, keep_default_na=False, encoding_errors="surrogateescape")
    whole = set(VIDEO_COLUMNS) <= set(table)
    if not whole or table["video_id"].duplicated().any() or not table["label"].isin(("0", "1")).all():
        raise ManifestError(f"{path} is no table of videos (columns {', '.join(VIDEO_COLUMNS)}). {_FIX}")
    found: pd.DataFrame = table.astype({"label": int})
    return found


def read_manifest(folder: Path | str, videos: pd.DataFrame | None = None) -> pd.DataFrame:
    """Read the faces of a folder, each with what is known of its video."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise DataNotFoundError(f"There is no manifest {path}. Make it with: python -m sr_deepfake.prepare data=…")
    try:
        faces: pd.DataFrame = pq.read_table(path).to_pandas()
    except pa.ArrowInvalid as error:
        raise ManifestError(f"{path} is not a readable Parquet file ({error}). {_FIX}") from error
    missing = [name for name in SCHEMA.names if name not in faces.columns]
    if missing:
        raise ManifestError(f"The manifest {path} lacks the columns {', '.join(missing)}. {_FIX}")
    twice = faces["face_id"][faces["face_id"].duplicated()]
    if len(twice):
        raise ManifestError(f"The manifest {path} names the face {twice.iloc[0]} twice. {_FIX}")
    table = read_videos(Path(folder) / VIDEOS) if videos is None else videos
    rows: pd.DataFrame = faces[SCHEMA.names].merge(table[["video_id", *OF_VIDEO]], on="video_id")
    ranks = {method: rank for rank, method in enumerate(FORGERY_METHODS)}
    order = rows.assign(
        split=rows["split"].map(SPLIT_ORDER), rank=rows["method"].map(ranks).fillna(len(FORGERY_METHODS))
    )
    keys = ["split", "label", "rank", "method", "video_id", "frame"]
    return rows.loc[order.sort_values(keys, kind="stable").index].reset_index(drop=True)


def fingerprint(rows: pd.DataFrame, *further: str) -> str:
    """Hash of a set of faces: which they are, their pixels, their labels and their splits, in whatever order."""
    columns = (rows[name] for name in ("face_id", "sha256", "label", "split", *further))
    lines = sorted("\t".join(map(str, values)) for values in zip(*columns, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def select(manifest: pd.DataFrame, split: str | None = None, methods: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of a split and of some methods; None: of all."""
    rows = manifest if split is None else manifest[manifest["split"] == split]
    rows = rows if methods is None else rows[rows["method"].isin(list(methods))]
    return rows.reset_index(drop=True)


@dataclass(frozen=True)
class FaceSet:
    """Face crops of a data set."""

    name: str  # of the data set
    folder: Path  # where the manifest and the crops are
    rows: pd.DataFrame  # of `read_manifest`
    margin: float | None = None  # about the face's box, as a part of the box on each side; None: it is not known

    def of(self, split: str, forgery: str, frames: int | None = None) -> pd.DataFrame:
        """Rows of a split: the pristine faces and those of one forgery method."""
        rows = select(self.rows, split, [PRISTINE, forgery])
        one_class = split == "test" and len(rows) > 0 and len(set(select(self.rows, split)["label"])) == 1
        if rows["label"].nunique() < 2 and not one_class:
            raise UserError(
                f"{self.folder / MANIFEST} has {int((rows['label'] == 0).sum())} pristine and "
                f"{int(rows['label'].sum())} {forgery} faces for {split}; both are needed. "
                f"`python -m sr_deepfake.prepare data={self.name}` with your data options makes them, if the split (the "
                "list's column split, train/ val/ test/ of a folder, the official lists) has such videos"
            )
        return rows if frames is None else thin(rows, frames)


def thin(rows: pd.DataFrame, frames: int) -> pd.DataFrame:
    """Keep at most `frames` faces of each video, spread over its length."""
    place = rows.groupby("video_id")["frame"].rank(method="first") - 1
    count = rows.groupby("video_id")["frame"].transform("size")
    # Of n faces, those are kept where place × frames / n passes a whole number.
    kept = (count <= frames) | ((place * frames) % count < frames)
    return rows[kept].reset_index(drop=True)
