"""Pictures and people in two splits of a folder: what leaks, where it is listed, what is done about it."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from sr_deepfake.data.extraction.records import read_record
from sr_deepfake.data.manifest import SPLITS
from sr_deepfake.data.sources.folder_files import OwnFiles
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import replacing

Prints = NDArray[np.uint8]

FREQUENCIES = 16  # lowest ones that are kept, along each axis
BITS = FREQUENCIES**2
# Of the sample's 96 people, copies (JPEG of quality 20, a quarter of the size, both, brighter) differ from their
# originals in at most 8 bits, two people's pictures in at least 70.
SIMILAR = 16  # bits; prints that differ in no more are of one picture
BLOCK = 256  # prints compared with all of the other split at once

PAIRS = ["kind", "distance", "video_id", "split", "other_video_id", "other_split"]


def picture_print(image: NDArray[np.uint8]) -> str:
    """Perceptual hash of a picture (imagehash's pHash): which of its lowest frequencies are above their median.

    Args:
        image: uint8 RGB `H×W×3`.

    Returns:
        256 bits as 64 hexadecimal digits.

    >>> image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    >>> len(picture_print(image)), picture_print(image) == picture_print(image[::-1])
    (64, False)
    """
    return str(imagehash.phash(Image.fromarray(image), FREQUENCIES))


def find_leaks(faces: pd.DataFrame, similar: int = SIMILAR) -> pd.DataFrame:
    """Find files that show the same picture and are in two splits.

    Every file of which a picture leaks is in at least one row, with the file of the other split that shows the nearest
    picture; not every pair of many equal files is listed.

    Args:
        faces: one row a face, with `video_id` (of the file), `split`, `sha256` (of the crop's pixels) and `print`
            (`picture_print` of the whole picture).
        similar: prints that differ in no more bits are of one picture.

    Returns:
        One row a pair of files, sorted: `kind` ("identical" crops, or "similar" pictures), `distance` in bits,
        `video_id` and `split` of the one that comes earlier in train, val, test, `other_video_id`, `other_split`.

    >>> faces = pd.DataFrame({"video_id": ["a", "b", "c"], "split": ["train", "test", "test"],
    ...                       "sha256": ["x", "x", "y"], "print": ["00" * 32, "00" * 32, "ff" * 32]})
    >>> find_leaks(faces)[["kind", "video_id", "other_video_id"]].values.tolist()
    [['identical', 'a', 'b']]
    """
    bits = np.unpackbits(
        np.frombuffer(bytes.fromhex("".join(faces["print"])), np.uint8).reshape(-1, BITS // 8), axis=1
    )
    members = {split: np.flatnonzero(faces["split"].to_numpy() == split) for split in SPLITS}
    pixels = faces["sha256"].to_numpy()
    found = []
    for number, split in enumerate(SPLITS):
        for other in SPLITS[number + 1 :]:
            ours, theirs = members[split], members[other]
            for i, j in _equal(pixels[ours], pixels[theirs]):
                found.append(("identical", 0, ours[i], theirs[j]))
            for i, j, distance in _nearest(bits[ours], bits[theirs], similar):
                found.append(("similar", distance, ours[i], theirs[j]))
            for j, i, distance in _nearest(bits[theirs], bits[ours], similar):
                found.append(("similar", distance, ours[i], theirs[j]))
    pairs = pd.DataFrame(found, columns=["kind", "distance", "ours", "theirs"])
    for column, side in (("", "ours"), ("other_", "theirs")):
        rows = faces.iloc[pairs[side].astype(int)]
        pairs[f"{column}video_id"] = rows["video_id"].to_numpy()
        pairs[f"{column}split"] = rows["split"].to_numpy()
    # Of the frames of two files, the pair that is most alike stands for both.
    pairs = pairs.sort_values(["kind", "distance", "video_id", "other_video_id"], kind="stable")
    return pairs.drop_duplicates(["video_id", "other_video_id"])[PAIRS].reset_index(drop=True)


def _equal(ours: NDArray[np.object_], theirs: NDArray[np.object_]) -> Iterator[tuple[int, int]]:
    """Places of equal values: each of ours with the first of theirs, and the other way round."""
    first_ours = {value: place for place, value in reversed(list(enumerate(ours)))}
    first_theirs = {value: place for place, value in reversed(list(enumerate(theirs)))}
    yield from ((i, first_theirs[value]) for i, value in enumerate(ours) if value in first_theirs)
    yield from ((first_ours[value], j) for j, value in enumerate(theirs) if value in first_ours)


def _nearest(ours: Prints, theirs: Prints, similar: int) -> Iterator[tuple[int, int, int]]:
    """Each of our prints (`N×BITS` of 0 and 1) with the nearest of theirs, where they are similar.

    Yields:
        Which of ours, which of theirs, number of bits that differ.
    """
    if not len(theirs):
        return
    # With ±1 for the bits, the product of two prints is BITS less twice their distance: exact in float32.
    their_signs = theirs.astype(np.float32).T * 2 - 1
    for top in range(0, len(ours), BLOCK):
        product = (ours[top : top + BLOCK].astype(np.float32) * 2 - 1) @ their_signs
        nearest = product.argmax(axis=1)
        distance = (BITS - product[np.arange(len(product)), nearest]) / 2
        for own in np.flatnonzero(distance <= similar):
            yield top + int(own), int(nearest[own]), int(distance[own])


log = logging.getLogger(__name__)

LEAKS_NAME = "leaks.csv"
POLICIES = ("warn", "error", "drop")


@dataclass(frozen=True)
class Leaks:
    """Pairs of files of two splits that show the same picture or, where identities are told, the same person.

    Attributes:
        pairs: as `find_leaks` gives them; `kind` may also be "identity".
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
            str(of_file[video_id]["phash"][str(frame)])
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
