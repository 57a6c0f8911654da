"""Any other data set: a CSV file that lists its videos or photos.

    path,label,method,split,target,source,mask
    clips/a.mp4,real,,train,anna,,
    clips/a_b.mp4,fake,FaceSwap,train,anna,ben,

Relative paths are below the file's folder, or `data.root`. Where `split` is empty, videos are drawn by their clusters, and
val from train where the list names no val. Where the identities `target` (whose video it is) and `source` (whose
face was put there) are empty, each video is its own cluster.
"""

import csv
import io
import re
from pathlib import Path, PurePosixPath

import pandas as pd

from sr_deepfake.data.manifest import PRISTINE, SPLITS, DataNotFoundError, video_table
from sr_deepfake.data.sources.splits import TRAIN_OR_VAL
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import read_text, safe_name

FAKE = "fake"
LABELS = {"1": 1, "fake": 1, "true": 1, "0": 0, "real": 0, "pristine": 0, "false": 0}
COLUMNS = ("path", "label", "method", "split", "target", "source", "mask")


def videos(root: Path, list: str | None = None) -> pd.DataFrame:
    """List the videos of the CSV file `list` (None: `root`); relative paths are below `root`, or its folder if it is a file."""
    file = root if list is None else Path(list).expanduser()
    if not file.is_file():
        raise DataNotFoundError(f"data.list={file}: there is no such file")
    folder = root if root.is_dir() else file.absolute().parent
    try:
        return _read(file, folder)
    except csv.Error as error:
        raise UserError(
            f'{file} cannot be read: {error}. Is there a quote (") that is not closed, or text after one?'
        ) from error


def _read(file: Path, folder: Path) -> pd.DataFrame:
    rows: dict[str, dict[str, object]] = {}
    reader = csv.DictReader(io.StringIO(read_text(file)), strict=True)
    columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in ("path", "label") if name not in columns]:
        raise UserError(
            f"{file} has no column {', '.join(missing)} (it has {', '.join(columns) or 'none'}). The columns are "
            f"{', '.join(COLUMNS)}; all but the first two may be missing"
        )
    reader.fieldnames = columns
    for row in reader:
        found = {name: (row.get(name) or "").strip() for name in COLUMNS}
        where = f"{file}, line {reader.line_num}"
        label = LABELS.get(found["label"].lower().removesuffix(".0"))
        if not found["path"] or label is None:
            raise UserError(f"{where}: expected a path and a label (1 or fake, 0 or real), not {found['label']!r}")
        if found["split"] not in ("", *SPLITS):
            raise UserError(f"{where}: split must be train, val or test, not {found['split']!r}")
        method = (found["method"] or FAKE) if label else PRISTINE
        if label and method.lower() == PRISTINE:
            raise UserError(f"{where}: the label says fake and the method {PRISTINE}")
        method = method if re.fullmatch(r"[\w-][\w.-]*", method) else safe_name(method)
        name = safe_name(PurePosixPath(found["path"]).stem, found["path"])
        if found["path"] in rows:
            raise UserError(f"{where}: {found['path']} is listed twice")
        people = {key: safe_name(found[key]) if found[key] else "" for key in ("target", "source")}
        mask = str(folder / found["mask"]) if found["mask"] else ""
        rows[found["path"]] = {
            "video_id": f"{method}/{name}", "method": method, "split": found["split"], **people,
            "path": folder / found["path"], "mask": mask,
        }  # fmt: skip
    if not rows:
        raise UserError(f"{file} lists no videos")
    if "val" not in {row["split"] for row in rows.values()}:  # it is drawn from train
        for row in rows.values():
            row["split"] = str(row["split"]).replace("train", TRAIN_OR_VAL)
    return video_table(rows.values())
