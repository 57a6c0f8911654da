"""The FaceForensics++ folder layout: which videos a tree holds, what they are, and in which split.

    <root>/original_sequences/youtube/<compression>/videos/TTT.mp4
    <root>/manipulated_sequences/<method>/<compression>/videos/TTT_SSS.mp4
    <root>/manipulated_sequences/<method>/masks/videos/TTT_SSS.mp4          where they were downloaded

Also met, and read: extracted frames, `frames/TTT/*.png` in the place of `videos/TTT.mp4`, with masks in
`<compression>/masks/TTT_SSS/*.png`; and a flat mirror, `<root>/{original,<method>}/*.mp4`.

TTT is the target, whose frames they are; SSS the source, whose face (or expression) was put there. A pair
[a, b] of a split file stands for the pristine videos a and b and, for each method, the fakes a_b and b_a
(Rössler et al., 2019).
"""

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import (
    FORGERY_METHODS,
    PRISTINE,
    SPLITS,
    DataNotFoundError,
    Video,
)
from sr_deepfake.data.sources.layouts import not_found
from sr_deepfake.data.sources.video_data_set import VideoDataSet
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.files import encoding_of

log = logging.getLogger(__name__)

PACKAGED_SPLITS = Path(__file__).parent / "ffpp_splits"  # the official lists

_IDENTITY = re.compile("[0-9A-Za-z]{3}")

Pairs = tuple[tuple[str, str], ...]


class InvalidSplitsError(UserError, ValueError):
    """A split file does not hold what a split file must hold."""


@dataclass(frozen=True)
class Splits:
    """Pairs of identities for training, validation and test; no identity is in two of them.

    Attributes:
        train: pairs of three-character identities.
        val: likewise.
        test: likewise.
        folder: where they were read from.
    """

    train: Pairs
    val: Pairs
    test: Pairs
    folder: Path

    def pairs(self, split: str) -> Pairs:
        """Pairs of the split called `train`, `val` or `test`."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


def find_splits(root: Path | str, splits: Path | str | None = None) -> Splits:
    """Find and check the split files.

    They are looked for in `splits` only, when it is given. Otherwise in `<root>/splits` and in `<root>`;
    when neither holds any of them, the official lists that the package ships are used.

    Args:
        root: the FaceForensics++ folder.
        splits: folder with `train.json`, `val.json` and `test.json`.

    Raises:
        DataNotFoundError: when the root, the folder given, or some of the three files do not exist.
        InvalidSplitsError: when a file is no list of pairs of identities, or splits share an identity.

    >>> splits = find_splits(".")
    >>> len(splits.train), len(splits.val), len(splits.test)
    (360, 70, 70)
    """
    root = Path(root).expanduser()
    if splits is not None:
        return _read_splits(Path(splits).expanduser())
    _require_root(root)
    for folder in (root / "splits", root):
        if any((folder / f"{split}.json").is_file() for split in SPLITS):
            return _read_splits(folder)
    log.info("No split files in %s or %s: using the official lists.", root / "splits", root)
    return _read_splits(PACKAGED_SPLITS)


def list_videos(
    root: Path | str,
    splits: Splits,
    methods: Sequence[str] = FORGERY_METHODS,
    compression: str = "c23",
    *,
    pristine: bool = True,
) -> list[Video]:
    """List the videos that a FaceForensics++ tree should hold.

    Videos that are missing on disk are listed too, so that they can be counted. The order is that of the
    splits, then of the methods (pristine first), then of the pairs.

    Args:
        root: the FaceForensics++ folder.
        splits: from `find_splits`.
        methods: some of `FORGERY_METHODS`. `"pristine"` may be among them.
        compression: `raw` (also called `c0`), `c23` or `c40`.
        pristine: also list the pristine videos.

    Raises:
        UserError: when a method is unknown.
        DataNotFoundError: when the root is missing, or not one of the videos exists.
    """
    root = Path(root).expanduser()
    _require_root(root)
    for method in methods:
        choose(method, (PRISTINE, *FORGERY_METHODS), "forgery method")
    wanted = [
        name for name in (PRISTINE, *FORGERY_METHODS) if name in methods or (pristine and name == PRISTINE)
    ]
    folders = {method: _video_folder(root, method, compression) for method in wanted}
    masks = {
        method: [_method_folder(root, method) / "masks" / "videos", folder.parent / "masks"]
        for method, folder in folders.items()
    }

    videos = []
    for split in SPLITS:
        for method in wanted:
            names = _names(splits.pairs(split), fake=method != PRISTINE)
            for name in names:
                target, _, source = name.partition("_")
                video_id, label = f"{method}/{name}", int(method != PRISTINE)
                path = _named(folders[method], name)
                mask = next(
                    (found for folder in masks[method] if (found := _named(folder, name)).exists()), None
                )
                videos.append(Video(video_id, method, label, split, target, source, path, mask))

    absent = {method for method in wanted if not any(v.path.exists() for v in videos if v.method == method)}
    if absent == set(wanted):
        raise DataNotFoundError(_nothing_found(root, folders, compression, splits))
    for method in sorted(absent):
        log.warning(
            "None of the %s videos is in %s; they will be counted as missing.", method, folders[method]
        )
    return videos


def _names(pairs: Pairs, *, fake: bool) -> list[str]:
    names = (name for a, b in pairs for name in ((f"{a}_{b}", f"{b}_{a}") if fake else (a, b)))
    return list(dict.fromkeys(names))


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


def _require_root(root: Path) -> None:
    if not root.is_dir():
        raise not_found(root, "ffpp", "the folder does not exist")


def _nothing_found(root: Path, folders: dict[str, Path], compression: str, splits: Splits) -> str:
    lines = [f"Not one of the videos looked for exists under {root}. Looked for:"]
    lines += [
        f"  {folder}/{'TTT' if method == PRISTINE else 'TTT_SSS'}.mp4" for method, folder in folders.items()
    ]
    lines.append(f"with the identities of the split files in {splits.folder}.")
    levels = {
        method: sorted(path.parent.name for path in _method_folder(root, method).glob("*/videos"))
        for method in folders
    }
    if any(levels.values()):
        lines.append("Compression levels that are there:")
        lines += [f"  {method}: {', '.join(found) or 'none'}" for method, found in levels.items()]
        lines.append(
            f"Choose one of them with data.compression=… (now: {compression}), another forgery method with "
            "forgery_method=…, or other split files with data.splits=/path/to/splits."
        )
    else:
        lines.append(str(not_found(root, "ffpp", "no video is there")))
        lines.append("The built-in sample needs no download: data=sample.")
    return "\n".join(lines)


def _read_splits(folder: Path) -> Splits:
    paths = {split: folder / f"{split}.json" for split in SPLITS}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        state = "has no" if folder.is_dir() else "does not exist; it should hold"
        raise DataNotFoundError(
            f"The splits folder {folder} {state} {', '.join(missing)}. Give a folder with "
            "train.json, val.json and test.json as data.splits=/path/to/splits. With data.splits=null and no "
            "split files at all under data.root, the official lists are used."
        )
    pairs = {split: _read_pairs(path) for split, path in paths.items()}
    owner: dict[str, str] = {}
    for split, split_pairs in pairs.items():
        for identity in (identity for pair in split_pairs for identity in pair):
            if owner.setdefault(identity, split) != split:
                raise InvalidSplitsError(
                    f"Identity {identity} is in both {owner[identity]}.json and {split}.json in {folder}: a "
                    "detector would be tested on people it was trained on. Take it out of one of them."
                )
    log.info("Splits: %s", folder)
    return Splits(pairs["train"], pairs["val"], pairs["test"], folder)


def _read_pairs(path: Path) -> Pairs:
    try:
        content = json.loads(path.read_text(encoding=encoding_of(path)))
    except ValueError as error:
        raise InvalidSplitsError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, list):
        raise InvalidSplitsError(f'{path} must hold a list of pairs like [["000", "003"], …].')
    for pair in content:
        two = isinstance(pair, list) and len(pair) == 2 and pair[0] != pair[1]
        if not two or not all(isinstance(name, str) and _IDENTITY.fullmatch(name) for name in pair):
            raise InvalidSplitsError(
                f"{path} holds {json.dumps(pair)} where a pair of different three-character names "
                'like ["000", "003"] belongs.'
            )
    return tuple((a, b) for a, b in content)


class FaceForensics(VideoDataSet):
    """FaceForensics++ in its official layout, as a flat mirror, or as extracted frames.

    Args:
        root: of the data set, with `original_sequences/` and `manipulated_sequences/`.
        compression: folder of the compression level: "raw" (= "c0"), "c23" or "c40".
        crops: where the face crops and the manifest are kept.
        settings: of the face extraction; None: the defaults.
        splits: folder of the three split files; None: looked for in the data set.
        workers: processes that find faces; None: one a core.
        device: what finds faces, "auto", "cpu" or "gpu".
    """

    name = "ffpp"
    title = "FaceForensics++"
    methods = FORGERY_METHODS

    def __init__(
        self,
        root: str | None,
        compression: str = "c23",
        crops: str = "outputs/faces/ffpp-c23",
        settings: ExtractionSettings | None = None,
        splits: str | None = None,
        workers: int | None = None,
        device: str = "cpu",
    ) -> None:
        self.level = compression
        self.splits = splits
        super().__init__(root, crops, settings, workers, device)

    def videos(self, root: Path, methods: Sequence[str]) -> list[Video]:
        """List the videos of the split files."""
        splits = find_splits(root, Path(self.splits).expanduser() if self.splits else None)
        return list_videos(root, splits, methods, self.level)
