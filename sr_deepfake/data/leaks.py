"""People and equal pictures in two splits: what leaks, where it is listed, what is done about it."""

import logging
import os
from pathlib import Path

import pandas as pd

from sr_deepfake.data.manifest import SPLIT_ORDER
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_csv

log = logging.getLogger(__name__)

LEAKS = "leaks.csv"  # next to the manifest
POLICIES = ("warn", "error", "drop")
COLUMNS = ("kind", "video_id", "split", "other_video_id", "other_split")


def find_leaks(rows: pd.DataFrame) -> pd.DataFrame:
    """Find videos of two splits that show the same picture or the same person."""
    sources = rows.assign(what=rows["source"].astype(str).str.split("+")).explode("what")
    pictures, people = rows.assign(kind="picture", what=rows["sha256"]), rows.assign(what=rows["target"])
    shown = pd.concat([pictures, pd.concat([people, sources[sources["what"] != ""]]).assign(kind="identity")])
    shown["rank"] = shown["split"].map(SPLIT_ORDER)
    shown = shown[["kind", "what", "video_id", "split", "rank"]].drop_duplicates()
    first = shown.drop_duplicates(["kind", "what", "split"])  # the later split is named by its first video
    pairs = shown.merge(first.set_index(["kind", "what"]).add_prefix("other_"), on=["kind", "what"])
    pairs = pairs[pairs["rank"] < pairs["other_rank"]]
    pairs = pairs.sort_values(["kind", "what", "rank", "other_rank"], ascending=[False, True, True, True])
    return pairs.drop_duplicates(["kind", "video_id", "other_split"])[list(COLUMNS)].reset_index(drop=True)


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
