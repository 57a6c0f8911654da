"""Splits files by identity: a group of files that belong together never crosses splits; and finds what does."""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sr_deepfake.data.manifest import SPLIT_ORDER, SPLITS
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_csv

log = logging.getLogger(__name__)

TRAIN_OR_VAL = "train+val"  # the split of a video that is drawn into one of these
LEAKS = "leaks.csv"  # next to the manifest
POLICIES = ("warn", "error", "drop")
COLUMNS = ("kind", "video_id", "split", "other_video_id", "other_split")


def identities_of(name: str, pattern: re.Pattern[str] | None) -> tuple[str, ...]:
    r"""Identities that a file shows, read from its name."""
    if pattern is None:
        first, _, below = name.partition("/")
        return (first if below else first.rpartition(".")[0] or first,)
    match = pattern.search(name)
    if match is None:
        return ()
    found = match.groups() if pattern.groups else (match[0],)
    return tuple(dict.fromkeys(identity for identity in found if identity))


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """Return the fractions of the three splits."""
    found = tuple(float(fraction) for fraction in fractions)
    if len(found) != len(SPLITS) or min(found) < 0 or abs(sum(found) - 1) > 1e-6:
        raise UserError(
            f"data.fractions={list(fractions)} is no split into train, val and test: give three numbers whose sum "
            "is 1, as in data.fractions=[0.7,0.15,0.15]"
        )
    return found


def draw_splits(videos: pd.DataFrame, fractions: Sequence[float], seed: int = 0) -> pd.DataFrame:
    """Put the videos that have no split (or `TRAIN_OR_VAL`) into one, a cluster as a whole."""
    rest = fractions[0] + fractions[1]
    if not rest:
        videos = videos.assign(split=videos["split"].replace(TRAIN_OR_VAL, "train"))
    undrawn = videos[~videos["split"].isin(SPLITS)]
    if undrawn.empty:
        return videos
    if set(videos["split"]) == {""} and len(set(undrawn["label"])) == 1:
        log.warning("All files are of one class: they are a test set.")
        return videos.assign(split="test")
    trained = {str(group) for group in undrawn["cluster"][undrawn["split"] == TRAIN_OR_VAL]}
    tested = "test" in set(videos["split"])
    if not tested and undrawn["label"][~undrawn["cluster"].astype(str).isin(trained)].nunique() < 2:
        log.warning(
            "There is no test set: beyond train, and who shares people with it, there are not both real and fakes."
        )
        tested = True
    shares = [fractions[0] / rest, fractions[1] / rest, 0.0] if tested and rest else fractions
    both = pd.concat([undrawn.assign(what=undrawn[name]) for name in ("label", "method")])
    classes = {str(group): set(found) for group, found in both.groupby("cluster")["what"].agg(set).items()}
    split_of = split_groups(classes, shares, seed, trained)
    drawn = videos["cluster"].map(split_of)
    return videos.assign(split=videos["split"].where(videos["split"].isin(SPLITS), drawn))


def split_groups(
    classes: Mapping[str, set[int | str]], fractions: Sequence[float], seed: int = 0, trained: Collection[str] = ()
) -> dict[str, str]:
    """Put each group into a split, `trained` ones never into test.

    Both labels come into each split, and each method where there are enough groups of it.
    """
    upper = np.cumsum(fractions).round(9)  # so that a last split of 0 is empty
    place = {group: share_of(group, seed) * (float(upper[1]) if group in trained else 1) for group in classes}
    found = {group: int(np.searchsorted(upper, place[group], side="right")) for group in classes}
    count = Counter((found[group], label) for group, labels in classes.items() for label in labels)
    methods = sorted({label for labels in classes.values() for label in labels if isinstance(label, str)})
    wanted = [(split, label) for labels in ((0, 1), methods) for split in range(len(SPLITS)) for label in labels]
    for split, label in wanted:
        if count[split, label] or fractions[split] == 0:
            continue
        needed = {0, 1} if label in (0, 1) else {0, 1, *methods}  # what a split must not lose
        spare = [
            group
            for group, labels in classes.items()
            if label in labels
            and all(count[found[group], own] > 1 for own in labels & needed)
            and not (SPLITS[split] == "test" and group in trained)
        ]
        if not spare and label in methods:
            continue
        if not spare:
            real, fake = (sum(label in labels for labels in classes.values()) for label in (0, 1))
            raise UserError(
                f"no split puts real and fake files into each of train, val and test: {real} groups of files that belong "
                f"together have real ones, {fake} have fakes. Add files; or say how their names tell the identity with "
                "data.identity=REGEX; or leave a split empty, as in data.fractions=[0,0,1]; or give a split of your own, as "
                "folders train/real, train/fake, val/real, ..."
            )
        low, high = upper[split] - fractions[split], upper[split]
        moved = min(spare, key=lambda group: (max(low - place[group], place[group] - high), group))
        count.subtract((found[moved], own) for own in classes[moved])
        count.update((split, own) for own in classes[moved])
        found[moved] = split
    return {group: SPLITS[split] for group, split in found.items()}


def share_of(group: str, seed: int = 0) -> float:
    """A number in [0, 1) that depends on a group's name and the seed alone: groups below 0.1 are a tenth of all."""
    digest = hashlib.sha256(f"{seed}/{group}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def find_leaks(rows: pd.DataFrame, files: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Find videos of two splits that show the same picture or person, or are the same file by the hashes `files`."""
    sources = rows.assign(what=rows["source"].astype(str).str.split("+")).explode("what")
    copies = rows.assign(what=rows["video_id"].map(files or {})).dropna(subset="what")
    pictures = pd.concat([rows.assign(what=rows["sha256"]), copies]).assign(kind="picture")
    people = rows.assign(what=rows["target"])
    shown = pd.concat([pictures, pd.concat([people, sources[sources["what"] != ""]]).assign(kind="identity")])
    shown["rank"] = shown["split"].map(SPLIT_ORDER)
    shown = shown[["kind", "what", "video_id", "split", "rank"]].drop_duplicates()
    first = shown.drop_duplicates(["kind", "what", "split"])  # the later split is named by its first video
    pairs = shown.merge(first.set_index(["kind", "what"]).add_prefix("other_"), on=["kind", "what"])
    pairs = pairs[pairs["rank"] < pairs["other_rank"]]
    pairs = pairs.sort_values(["kind", "what", "rank", "other_rank"], ascending=[False, True, True, True])
    return pairs.drop_duplicates(["kind", "video_id", "other_split"])[list(COLUMNS)].reset_index(drop=True)


def without_leaks(
    rows: pd.DataFrame, folder: Path, policy: str, files: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """List what leaks in `leaks.csv`, and warn, refuse it, or leave the videos of the earlier split out."""
    leaks = find_leaks(rows, files)
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
