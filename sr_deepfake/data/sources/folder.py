"""A folder of one's own: photos, face crops or videos in `real/` and `fake/`.

    <root>/real/…            <root>/train/real/…   <root>/val/real/…   <root>/test/real/…
    <root>/fake/…     or     <root>/train/fake/…   <root>/val/fake/…   <root>/test/fake/…

Files may be in folders below. Other kinds are counted and left out; names that begin with a dot are passed over.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from sr_deepfake.data.extraction.video import VIDEO_SUFFIXES
from sr_deepfake.data.manifest import PRISTINE, SPLITS, DataNotFoundError, video_table
from sr_deepfake.data.sources.splits import identities_of
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable, safe_name
from sr_deepfake.system.photos import PHOTO_SUFFIXES

log = logging.getLogger(__name__)

FAKE = "fake"  # the forgery method of all fakes of such a folder
_CLASSES = {  # names of their folders, in capitals or not
    "real": {"real", "reals", "pristine", "original", "originals", "authentic", "genuine", "0_real"},
    "fake": {"fake", "fakes", "forged", "manipulated", "deepfake", "deepfakes", "synthetic", "1_fake"},
}
_SPLITS = {"train": {"train", "training"}, "val": {"val", "valid", "validation", "dev"}, "test": {"test", "testing"}}
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_DEEP, _MANY = 3, 50  # folders below, and of each depth, in which real/ and fake/ are looked for
_NUMBERED = re.compile(r"(.*[^\W_])[_-](?:frame_?|f)?\d+")  # a name, and the number of a frame
_SEVERAL = 4  # videos of a class, from which names are believed
_COMPLETE = (set(SPLITS), {"train", "test"}, {"test"})


def videos(root: Path, identity: str | None = None) -> pd.DataFrame:
    """List the photos and videos of a folder, with the splits that it gives; train without val leaves both to be drawn.

    The groups of the regular expression `identity` are the identities that a file shows, searched in its path below real/ or
    fake/; None: the first sub-folder, or the file's name without its suffix.
    """
    pattern = _pattern(identity)
    splits = _choose(root, _SPLITS)
    parts = {split: _choose(folder, _CLASSES) for split, folder in splits.items()}
    classes = _choose(root, _CLASSES)
    if classes and any(parts.values()):
        both = [printable(next(iter(found.values())).name) for found in (classes, splits)]
        raise UserError(f"{root} holds both classes ({both[0]}/) and splits ({both[1]}/); keep one of the two layouts")
    if not classes and not splits:
        raise DataNotFoundError(
            f"{root} holds neither real/ nor fake/{_found_instead(root)}: data.root=DIR names a folder with real/ and fake/ in "
            "it, or train/real, train/fake, val/real, val/fake, test/real and test/fake (docs/own_data.md lists all names that "
            "are understood); any other layout is read from a list, data=csv data.list=FILE"
        )
    if splits and set(splits) not in _COMPLETE:
        names = ", ".join(f"{path.name}/" for path in splits.values())
        raise UserError(
            f"{root} has only {names} of a split: needed are train, val and test; or train and test, from which val is "
            "drawn; or test alone, to evaluate on it"
        )
    ignored: Counter[str] = Counter()
    rows: list[dict[str, object]] = []
    for split, folder in (splits or {"": root}).items():
        drawn = split == "train" and "val" not in splits
        folders = parts[split] if splits else classes
        files = _of_classes(split, folder, folders, ignored)
        frames: dict[Path, str] = {}
        for paths in files.values() if pattern is None else ():
            frames |= _frames_of_videos(paths)
        if frames:
            log.info(
                "%s: by their names, %d pictures are frames of %d videos, each one identity (data.identity= says otherwise).",
                folder, len(frames), len(set(frames.values())),
            )  # fmt: skip
        for name, path in ((name, path) for name, paths in files.items() for path in paths):
            below = path.relative_to(folders[name]).as_posix()
            people = identities_of(below, pattern) if path not in frames else (frames[path],)
            if not people:
                raise UserError(
                    f"data.identity={identity!r} does not match {printable(below)!r}: it must match the path of every file "
                    "below real/ and fake/"
                )
            # Names like 0001 stand for other people in each split that a folder gives.
            prefix = f"{split}/" if splits and pattern is None else ""
            target, *others = (safe_name(f"{prefix}{one}") for one in people)
            stem = safe_name(path.stem, path.relative_to(root).as_posix())
            rows.append(
                {
                    "video_id": f"{PRISTINE if name == 'real' else FAKE}/{stem}", "path": path, "target": target,
                    "source": "+".join(others), "split": "" if drawn else split,
                }
            )  # fmt: skip
    if ignored:
        log.warning("Not photos or videos, and left out: %s.", _listed(ignored))
    return video_table(rows)


def _found_instead(root: Path) -> str:
    """What a folder holds in the place of real/ and fake/, in words."""
    packed = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _PACKED)
    if packed:
        return f", but {printable(packed[0])}, which has to be unpacked first"
    inside = [root]
    for _ in range(_DEEP):
        inside = [path for folder in inside for path in sorted(folder.iterdir()) if path.is_dir()][:_MANY]
        for folder in inside:
            if _choose(folder, _CLASSES) or _choose(folder, _SPLITS):
                return f" (but {printable(str(folder))} does: data.root={printable(str(folder))})"
    names = [f"{printable(path.name)}/" for path in sorted(root.iterdir()) if path.is_dir()]
    return f", but {', '.join(names[:6])}{', …' if len(names) > 6 else ''}, whose names say neither" if names else ""


def _frames_of_videos(paths: Sequence[Path]) -> dict[Path, str]:
    """The video of each picture, where names in one flat folder say it, as in `a_0001.png`, `a_0002.png`, `b_0001.png`.

    Empty where they do not: numbered photos (`img_0001.jpg`) have one name before the number, not several.
    """
    matches = {path: _NUMBERED.fullmatch(path.stem) for path in paths}
    names = {path: match[1] for path, match in matches.items() if match}
    count = Counter(names.values())
    clear = len(names) == len(paths) and len(count) >= _SEVERAL and min(count.values(), default=0) > 1
    return names if clear and len({path.parent for path in paths}) == 1 else {}


def _pattern(identity: str | None) -> re.Pattern[str] | None:
    try:
        return None if identity is None else re.compile(identity)
    except re.error as error:
        raise UserError(
            f"data.identity={identity!r} is not a regular expression: {error}. Write it in quotes, as in "
            "'data.identity=\"^([0-9]{3})\"'"
        ) from error


def _choose(folder: Path, names: Mapping[str, set[str]]) -> dict[str, Path]:
    """The sub-folders that mean something, by what they mean."""
    found: dict[str, Path] = {}
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    for meaning, words in names.items():
        fitting = [path for path in inside if path.name.lower() in words]
        if len(fitting) > 1:
            raise UserError(
                f"{folder} holds {fitting[0].name}/ and {fitting[1].name}/, which both mean {meaning}; put their files "
                "into one folder"
            )
        if fitting:
            found[meaning] = fitting[0]
    return found


def _of_classes(split: str, folder: Path, classes: Mapping[str, Path], ignored: Counter[str]) -> dict[str, list[Path]]:
    """The files of real/ and fake/."""
    files: dict[str, list[Path]] = {}
    for name in _CLASSES:
        if name not in classes and classes and split in ("", "test"):
            continue  # a test set of one class
        if name not in classes:
            raise DataNotFoundError(f"{folder} has no folder {name}/: put its {name} photos or videos there")
        files[name] = sorted(_files(classes[name], ignored))
        if not files[name]:
            kinds = ", ".join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))
            other = f" There are {_listed(ignored)} files." if ignored else ""
            raise DataNotFoundError(f"{classes[name]} holds no photo and no video ({kinds}).{other}")
    return files


def _files(folder: Path, ignored: Counter[str]) -> Iterator[Path]:
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        # A link to a folder above would go on for ever.
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        visible = [] if real in seen else [name for name in names if not name.startswith(".")]
        seen.add(real)
        for path in (Path(place, name) for name in visible):
            if path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
                yield path
            else:
                ignored[path.suffix.lower() or "no suffix"] += 1


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{count:,} {printable(kind)}" for kind, count in sorted(kinds.items()))
