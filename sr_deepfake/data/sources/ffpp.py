"""FaceForensics++: which videos a tree holds, what they are, and in which split (Rössler et al., 2019).

    <root>/original_sequences/youtube/<compression>/videos/TTT.mp4
    <root>/manipulated_sequences/<method>/<compression>/videos/TTT_SSS.mp4
    <root>/manipulated_sequences/<method>/masks/videos/TTT_SSS.mp4          where they were downloaded

Also met, and read: extracted frames, `frames/TTT/*.png` in the place of `videos/TTT.mp4`, with masks in
`<compression>/masks/TTT_SSS/*.png`; and a flat mirror, `<root>/{original,<method>}/*.mp4`.

TTT is the target, whose frames they are; SSS the source, whose face (or expression) was put there. A pair [a, b] of a split
file stands for the pristine videos a and b and, for each method, the fakes a_b and b_a.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from sr_deepfake.data.manifest import FORGERY_METHODS, PRISTINE, SPLITS, DataNotFoundError, video_table
from sr_deepfake.metrics.clusters import components
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import read_text

PACKAGED_SPLITS = Path(__file__).parent / "ffpp_splits"  # the official lists
CONVERSION = "conversion_dict.json"  # which clip was cut from which YouTube video: {"000": "--b1Ua-kWJE 0"}
_IDENTITY = re.compile("[0-9A-Za-z]{3}")

Pairs = tuple[tuple[str, str], ...]


def videos(root: Path, compression: str = "c23", splits: str | None = None) -> pd.DataFrame:
    """List the videos that a FaceForensics++ tree should hold; missing ones too, so that they can be counted.

    Args:
        root: the FaceForensics++ folder.
        compression: "raw" (also called "c0"), "c23" or "c40".
        splits: folder of `train.json`, `val.json` and `test.json`; None: `<root>/splits`, `<root>`, or else the official
            lists.

    Raises:
        UserError: a split file is missing or not one, splits share an identity, or no video exists.
    """
    pairs = read_splits(_splits_folder(root, splits))
    folders = {method: _video_folder(root, method, compression) for method in (PRISTINE, *FORGERY_METHODS)}
    rows: list[dict[str, object]] = []
    for split, method in ((split, method) for split in SPLITS for method in folders):
        masks = (_method_folder(root, method) / "masks" / "videos", folders[method].parent / "masks")
        both_ways = (pair for a, b in pairs[split] for pair in ((a, b), (b, a)))
        for name in dict.fromkeys(a if method == PRISTINE else f"{a}_{b}" for a, b in both_ways):
            target, _, source = name.partition("_")
            mask = next((found for folder in masks if (found := _named(folder, name)).exists()), "")
            rows.append(
                {
                    "video_id": f"{method}/{name}", "method": method, "split": split, "target": target,
                    "source": source, "path": _named(folders[method], name), "mask": mask,
                }
            )  # fmt: skip
    if not any(Path(str(row["path"])).exists() for row in rows):
        levels = sorted({path.parent.name for path in root.glob("*_sequences/*/*/videos")})
        there = f" There are {', '.join(levels)} (data.compression=…; now {compression})." if levels else ""
        raise DataNotFoundError(
            f"Not one video is where FaceForensics++ has it, such as {folders[PRISTINE]}/000.mp4.{there} data.root= names "
            "the folder with original_sequences/ and manipulated_sequences/; data=sample needs no download."
        )
    table = video_table(rows)
    youtube = _youtube(root)  # clips of one YouTube video are one cluster, where it is known
    people = [tuple(filter(None, pair)) for pair in zip(table["target"], table["source"], strict=True)]
    return table.assign(
        cluster=components([(*own, *(f"~{youtube[one]}" for one in own if one in youtube)) for own in people])
    )


def read_splits(folder: Path) -> dict[str, Pairs]:
    """Read and check the three split files of a folder."""
    paths = {split: folder / f"{split}.json" for split in SPLITS}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise DataNotFoundError(
            f"The splits folder {folder} has no {', '.join(missing)}. data.splits=FOLDER names one with train.json, "
            "val.json and test.json; without any, the official lists are used"
        )
    pairs = {split: _read_pairs(path) for split, path in paths.items()}
    owner: dict[str, str] = {}
    for split, found in pairs.items():
        for identity in (identity for pair in found for identity in pair):
            if owner.setdefault(identity, split) != split:
                raise UserError(
                    f"Identity {identity} is in both {owner[identity]}.json and {split}.json of {folder}: a detector "
                    "would be tested on people it was trained on. Take it out of one of them."
                )
    return pairs


def _splits_folder(root: Path, splits: str | None) -> Path:
    if splits is not None:
        return Path(splits).expanduser()
    for folder in (root / "splits", root):
        if any((folder / f"{split}.json").is_file() for split in SPLITS):
            return folder
    return PACKAGED_SPLITS


def _read_pairs(path: Path) -> Pairs:
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, list):
        raise UserError(f'{path} must hold a list of pairs like [["000", "003"], …].')
    for pair in content:
        two = isinstance(pair, list) and len(pair) == 2 and pair[0] != pair[1]
        if not two or not all(isinstance(name, str) and _IDENTITY.fullmatch(name) for name in pair):
            raise UserError(
                f"{path} holds {json.dumps(pair)} where a pair of different three-character names "
                'like ["000", "003"] belongs.'
            )
    return tuple((a, b) for a, b in content)


def _youtube(root: Path) -> Mapping[str, str]:
    """The YouTube video of each identity's clip, where it is known."""
    path = root / CONVERSION
    if not path.is_file():
        return {}
    try:
        content = json.loads(read_text(path))
        return {str(identity): str(clip).rsplit(" ", 1)[0] for identity, clip in content.items()}
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path} does not map identities to clips ({error}); delete it, or replace it") from error


def _method_folder(root: Path, method: str) -> Path:
    if method == PRISTINE:
        return root / "original_sequences" / "youtube"
    return root / "manipulated_sequences" / method


def _video_folder(root: Path, method: str, compression: str) -> Path:
    """Folder of a method's videos, or of the folders of their frames; `raw` and `c0` are two names of one level."""
    names = {"raw": ("raw", "c0"), "c0": ("c0", "raw")}.get(compression, (compression,))
    official = [_method_folder(root, method) / name / kind for name in names for kind in ("videos", "frames")]
    flat = root / ("original" if method == PRISTINE else method)
    return next((folder for folder in (*official, flat) if folder.is_dir()), official[0])


def _named(folder: Path, name: str) -> Path:
    """A video's file, or the folder of its frames."""
    return folder / name if (folder / name).is_dir() else folder / f"{name}.mp4"
