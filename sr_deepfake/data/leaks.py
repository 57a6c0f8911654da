"""Leaks between the splits of a folder of one's own: what they are, where they are listed, what is done about them."""

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sr_deepfake.data.duplicates import PAIRS, find_leaks
from sr_deepfake.data.folder_layout import OwnFiles
from sr_deepfake.data.layout import SPLITS
from sr_deepfake.data.video_record import read_record
from sr_deepfake.errors import UserError
from sr_deepfake.files import replacing

log = logging.getLogger(__name__)

LEAKS_NAME = "leaks.csv"
POLICIES = ("warn", "error", "drop")


@dataclass(frozen=True)
class Leaks:
    """Pairs of files of two splits that show the same picture or, where identities are told, the same person.

    Attributes:
        pairs: as `duplicates.find_leaks` gives them; `kind` may also be "identity".
        path: of the list as a file.
    """

    pairs: pd.DataFrame
    path: Path

    @property
    def dropped(self) -> set[str]:
        """Ids of the files to leave out so that nothing leaks: of each pair the one in train, or else in val."""
        return set(self.pairs["video_id"])

    def render(self) -> str:
        """The number of leaks, in a line."""
        if self.pairs.empty:
            return "Leaks between splits: none"
        kinds = self.pairs["kind"].value_counts().sort_index()
        counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        return f"Leaks between splits: {len(self.pairs):,} pairs of files ({counts}), listed in {self.path}"

    def act(self, policy: str) -> None:
        """Warn of leaks, or refuse them.

        Args:
            policy: one of `POLICIES`.

        Raises:
            UserError: there are some, and the policy is "error".
        """
        if self.pairs.empty:
            return
        if policy == "error":
            raise UserError(
                f"{self.render()}. Mend the folder; or leave {len(self.dropped):,} files out of training with "
                "data.leaks=drop; or go on with data.leaks=warn"
            )
        if policy == "drop":
            log.warning("%s; %d files are left out (data.leaks=drop).", self.render(), len(self.dropped))
        else:
            log.warning("%s. data.leaks=drop leaves their training copies out.", self.render())


def look_for_leaks(rows: pd.DataFrame, folder: Path, files: OwnFiles | None, by_identity: bool) -> Leaks:
    """Find the leaks among some faces and list them in `leaks.csv`.

    Args:
        rows: of the manifest.
        folder: the manifest's, with the records of the files beside it.
        files: what the faces were found in, for their names; None: not known any more, ids stand for names.
        by_identity: whether names tell identities that hold for all splits.
    """
    pairs = find_leaks(rows.assign(print=_prints(rows, folder)))
    if files is not None and by_identity:
        pairs = pd.concat([pairs, _shared_identities(files, set(rows["video_id"]))], ignore_index=True)
    names = {} if files is None else {video.video_id: files.name(video) for video in files.videos}
    path = folder / LEAKS_NAME
    listed = pairs.assign(
        file=pairs["video_id"].map(lambda name: names.get(name, name)),
        other_file=pairs["other_video_id"].map(lambda name: names.get(name, name)),
    )
    with replacing(path) as beside:
        columns = [
            "kind",
            "distance",
            "split",
            "file",
            "other_split",
            "other_file",
            "video_id",
            "other_video_id",
        ]
        listed[columns].to_csv(beside, index=False, lineterminator="\n")
    return Leaks(pairs, path)


def _prints(rows: pd.DataFrame, folder: Path) -> list[str]:
    """The print of each face's whole picture, from the records of the files."""
    of_file = {video_id: read_record(folder / video_id) or {} for video_id in rows["video_id"].unique()}
    try:
        return [
            str(of_file[video_id]["prints"][str(frame)])
            for video_id, frame in zip(rows["video_id"], rows["frame"], strict=True)
        ]
    except KeyError as error:
        raise UserError(
            f"records of the faces in {folder} are missing or were made by something else; delete the folder and make "
            "it again with `python -m sr_deepfake.prepare data=folder data.root=DIR`"
        ) from error


def _shared_identities(files: OwnFiles, used: set[str]) -> pd.DataFrame:
    """Each file of an identity that is in two splits, with the first file of the other split."""
    shown: dict[str, dict[str, list[str]]] = {}
    for video, identities in zip(files.videos, files.identities, strict=True):
        if video.video_id in used:
            for identity in identities:
                shown.setdefault(identity, {}).setdefault(video.split, []).append(video.video_id)
    found = [
        row
        for places in shown.values()
        for split, other in itertools.combinations([split for split in SPLITS if split in places], 2)
        for row in _rows(places[split], split, places[other][0], other)
    ]
    return pd.DataFrame(found, columns=PAIRS).drop_duplicates(["video_id", "other_video_id"])


def _rows(videos: Sequence[str], split: str, counterpart: str, other: str) -> list[tuple[object, ...]]:
    return [("identity", None, video, split, counterpart, other) for video in videos]
