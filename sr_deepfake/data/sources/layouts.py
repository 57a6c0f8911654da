"""Which known data set a folder looks like, so that a wrong root is told with what it is."""

import json
from collections.abc import Callable
from pathlib import Path

from sr_deepfake.data.manifest import FORGERY_METHODS, DataNotFoundError

# data= → what it looks for below data.root.
LOOKED_FOR = {
    "ffpp": "original_sequences/youtube/{raw|c0|c23|c40}/videos/NNN.mp4 and manipulated_sequences/METHOD/…, "
    "or original/NNN.mp4 and METHOD/TTT_SSS.mp4",
    "dfd": "original_sequences/actors/{raw|c0|c23|c40}/videos/NN__scene.mp4 and "
    "manipulated_sequences/DeepFakeDetection/…",
    "celebdf": "Celeb-real/, YouTube-real/ and Celeb-synthesis/ (perhaps with videos/ in each), and "
    "List_of_testing_videos.txt",
    "dfdc": "dfdc_train_part_NN/metadata.json, a test folder with metadata.json or labels.csv, or dataset.json (of the "
    "preview)",
    "deepfakebench": "FF-DF.json, Celeb-DF-v2.json and so on, and the folders of faces that they name",
    "folder": "real/ and fake/, or train/real, train/fake and so on",
}


def layout_of(root: Path) -> str | None:
    """The data set that a folder looks like, as in `data=`; None: none that is known.

    >>> layout_of(Path("no/such/folder")) is None
    True
    """
    return next((name for name, looks in _LOOKS.items() if root.is_dir() and looks(root)), None)


def not_found(root: Path, name: str, why: str) -> DataNotFoundError:
    """The error of a root that does not hold a data set: what was looked for, and what the folder looks like.

    Args:
        root: that was given.
        name: of the data set, as in `data=`.
        why: in words.
    """
    other = layout_of(root)
    below = (
        next((path for path in sorted(root.iterdir()) if layout_of(path) == name), None)
        if root.is_dir()
        else None
    )
    if other not in (None, name):
        hint = f" It looks like data={other}."
    elif below is not None:
        hint = f" {below} looks like it: data.root={below}."
    else:
        hint = ""
    looked_for = f" Looked for: {LOOKED_FOR[name]}." if name in LOOKED_FOR else ""
    return DataNotFoundError(f"data={name} data.root={root}: {why}.{looked_for}{hint}")


def _any(root: Path, *patterns: str) -> bool:
    return any(next(root.glob(pattern), None) is not None for pattern in patterns)


def _is_ffpp(root: Path) -> bool:
    official = _any(
        root, "original_sequences/youtube", *(f"manipulated_sequences/{m}" for m in FORGERY_METHODS)
    )
    return official or _any(root, *(f"{method}/*_*.mp4" for method in FORGERY_METHODS))


def _is_folder(root: Path) -> bool:
    return _any(root, "[Rr]eal/*", "*/[Rr]eal/*") and _any(root, "[Ff]ake/*", "*/[Ff]ake/*")


def _is_bench(root: Path) -> bool:
    for path in sorted(root.glob("*.json"))[:3]:
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            return "frames" in json.dumps(content)[:100_000]
        except (OSError, ValueError):
            continue
    return False


def _is_dfd(root: Path) -> bool:
    return _any(
        root, "original_sequences/actors", "manipulated_sequences/DeepFakeDetection"
    ) and not _is_ffpp(root)


def _is_celebdf(root: Path) -> bool:
    return _any(root, "Celeb-synthesis", "Celeb-real")


def _is_dfdc(root: Path) -> bool:
    listed = _any(root, "*/metadata.json", "metadata.json", "labels.csv", "*/labels.csv")
    return (root / "dataset.json").is_file() or (listed and _any(root, "*/*.mp4", "*.mp4"))


_LOOKS: dict[str, Callable[[Path], bool]] = {
    "dfd": _is_dfd,
    "ffpp": _is_ffpp,
    "celebdf": _is_celebdf,
    "dfdc": _is_dfdc,
    "deepfakebench": _is_bench,
    "folder": _is_folder,
}
