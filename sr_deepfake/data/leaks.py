"""People and equal pictures in two splits: what leaks, where it is listed, what is done about it."""

import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from sr_deepfake.data.manifest import SPLITS
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_csv

log = logging.getLogger(__name__)

LEAKS = "leaks.csv"  # next to the manifest
POLICIES = ("warn", "error", "drop")
COLUMNS = ("kind", "video_id", "split", "other_video_id", "other_split")


def find_leaks(rows: pd.DataFrame) -> pd.DataFrame:
    """Find videos of two splits that show the same picture or the same person.

    >>> rows = pd.DataFrame({"video_id": ["a", "b", "c"], "split": ["train", "test", "test"],
    ...                      "sha256": ["x", "x", "y"], "target": ["a", "b", "c"], "source": ""})
    >>> find_leaks(rows)[["kind", "video_id", "other_video_id"]].values.tolist()
    [['picture', 'a', 'b']]
    """
    source = rows.assign(target=rows["source"].astype(str).str.split("+")).explode("target")
    shown = {
        "picture": rows.rename(columns={"sha256": "what"}),
        "identity": pd.concat([rows, source[source["target"] != ""]]).rename(columns={"target": "what"}),
    }
    found = [leak for kind, table in shown.items() for leak in _shared(kind, table)]
    table = pd.DataFrame(found, columns=COLUMNS)
    return table.drop_duplicates(["kind", "video_id", "other_split"]).reset_index(drop=True)


def _shared(kind: str, table: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Each video with something that is in two splits, and the first video of the later split that has it too."""
    several = table.groupby("what")["split"].transform("nunique") > 1
    for _, rows in table[several].groupby("what", sort=True):
        videos = {split: list(dict.fromkeys(found["video_id"])) for split, found in rows.groupby("split")}
        for split, other in itertools.combinations([split for split in SPLITS if split in videos], 2):
            for video in videos[split]:
                yield kind, video, split, videos[other][0], other


def without_leaks(rows: pd.DataFrame, folder: Path, policy: str) -> pd.DataFrame:
    """List what leaks in `leaks.csv`, and warn, refuse it, or leave the videos of the earlier split out."""
    leaks = find_leaks(rows)
    if os.access(folder, os.W_OK):
        write_csv(folder / LEAKS, COLUMNS, leaks.itertuples(index=False))
    if leaks.empty:
        return rows
    counts = ", ".join(f"{count:,} {kind}" for kind, count in leaks["kind"].value_counts().sort_index().items())
    message = f"Leaks between splits: {len(leaks):,} pairs of files ({counts}), listed in {folder / LEAKS}"
    dropped = set(leaks["video_id"])
    if policy == "error":
        raise UserError(f"{message}. data.leaks=drop leaves {len(dropped):,} files out; data.leaks=warn goes on")
    if policy == "warn":
        log.warning("%s. data.leaks=drop leaves the copies in the earlier split out.", message)
        return rows
    log.warning("%s; %d files are left out (data.leaks=drop).", message, len(dropped))
    return rows[~rows["video_id"].isin(dropped)].reset_index(drop=True)
