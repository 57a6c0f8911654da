"""Files of a user's folder, their classes, and their splits.

    <root>/real/…            <root>/train/real/…   <root>/val/real/…   <root>/test/real/…
    <root>/fake/…     or     <root>/train/fake/…   <root>/val/fake/…   <root>/test/fake/…

Files may lie deeper. These names of folders count, in capitals or not:

- real: real, reals, pristine, original, originals, authentic, genuine, 0_real
- fake: fake, fakes, forged, manipulated, deepfake, deepfakes, synthetic, 1_fake
- train: train, training;  val: val, valid, validation, dev;  test: test, testing

Photos are .bmp .jpg .jpeg .png .tif .tiff .webp; videos .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .webm .wmv. Files of
other kinds are counted and left out; files and folders whose name begins with a dot are not looked at.
"""

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr_deepfake.data.extraction.video import VIDEO_SUFFIXES
from sr_deepfake.data.manifest import PRISTINE, SPLITS, DataNotFoundError, Video
from sr_deepfake.data.sources.layouts import layout_of
from sr_deepfake.data.sources.splits import check_fractions, group_identities, identities_of, split_groups
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable, safe_name
from sr_deepfake.system.photos import PHOTO_SUFFIXES

log = logging.getLogger(__name__)

FAKE = "fake"  # the forgery method of all fakes of such a folder
_CLASSES = {
    "real": {"real", "reals", "pristine", "original", "originals", "authentic", "genuine", "0_real"},
    "fake": {"fake", "fakes", "forged", "manipulated", "deepfake", "deepfakes", "synthetic", "1_fake"},
}
_SPLITS = {
    "train": {"train", "training"},
    "val": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing"},
}
_COMPLETE = (set(SPLITS), {"train", "test"}, {"test"})
_LAYOUTS = (
    "with real/ and fake/ in it, or train/real, train/fake, val/real, val/fake, test/real and test/fake (all names "
    "that are understood: sr_deepfake/data/sources/folder_files.py)"
)


@dataclass(frozen=True)
class SplitRule:
    """Rule for splitting files, where the folder itself gives no split.

    Attributes:
        identity: regular expression whose groups are the identities that a file shows, searched in its path below
            real/ or fake/; None: the first sub-folder, or the file's name without its suffix.
        fractions: of train, val and test.
        seed: of the split.
    """

    identity: str | None = None
    fractions: Sequence[float] = (0.7, 0.15, 0.15)
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "fractions", check_fractions(self.fractions))
        _ = self.pattern

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """The regular expression, compiled."""
        try:
            return None if self.identity is None else re.compile(self.identity)
        except re.error as error:
            raise UserError(
                f"data.identity={self.identity!r} is no regular expression: {error}. Write it in quotes, as in "
                "'data.identity=\"^([0-9]{3})\"'"
            ) from error


@dataclass(frozen=True)
class OwnFiles:
    """The photos and videos of a folder.

    Attributes:
        root: the folder.
        videos: one entry a file, photos too, in the order of splits, classes and paths. An id is made of the
            file's name as far as it is safe in a path, and of a hash of its whole path.
        identities: those of each file.
        ignored: number of files of other kinds, by suffix.
        given: splits that the folder itself gives; the others were drawn.
    """

    root: Path
    videos: tuple[Video, ...]
    identities: tuple[tuple[str, ...], ...]
    ignored: dict[str, int]
    given: tuple[str, ...]

    def name(self, video: Video) -> str:
        """Path of a file below the root, as text that can be printed."""
        return printable(video.path.relative_to(self.root).as_posix())


@dataclass(frozen=True)
class _Found:
    path: Path
    label: int
    split: str | None
    identities: tuple[str, ...]


def list_files(root: Path, rule: SplitRule) -> OwnFiles:
    """List the photos and videos of a folder and split them.

    A split that the folder gives stays as it is. When it gives train and test only, val is drawn from train.

    Args:
        root: the folder.
        rule: how to split what is not split.

    Raises:
        DataNotFoundError: the folder, or one of its two classes, is not there or holds no photo and no video.
        UserError: two sub-folders stand for the same thing, a name does not tell the identity, or there are too few
            files for a split.
    """
    if not root.is_dir():
        raise DataNotFoundError(f"There is no folder {root}: data.root=DIR names one {_LAYOUTS}.")
    splits = _choose(root, _SPLITS)
    parts = {split: _choose(folder, _CLASSES) for split, folder in splits.items()}
    classes = _choose(root, _CLASSES)
    if classes and any(parts.values()):
        both = [printable(next(iter(found.values())).name) for found in (classes, splits)]
        raise UserError(
            f"{root} holds classes ({both[0]}/) and splits ({both[1]}/) side by side; keep one of the two layouts"
        )
    if not classes and not splits:
        other = layout_of(root)
        hint = f" It looks like data={other}." if other else ""
        raise DataNotFoundError(f"{root} holds neither: data.root=DIR names a folder {_LAYOUTS}.{hint}")
    if splits and set(splits) not in _COMPLETE:
        names = ", ".join(f"{path.name}/" for path in splits.values())
        raise UserError(
            f"{root} gives only {names} of a split: train, val and test are needed; train and test, from which val is "
            "taken; or test alone, to evaluate on it"
        )
    ignored: Counter[str] = Counter()
    if parts:
        found = [f for s in parts for f in _of_classes(s, splits[s], parts[s], rule, ignored)]
    else:
        found = list(_of_classes(None, root, classes, rule, ignored))
    given = tuple(parts)
    split_of = _splits_of(found, given, rule)
    videos = tuple(_video(root, file, split, given) for file, split in zip(found, split_of, strict=True))
    order = sorted(
        range(len(found)), key=lambda i: (SPLITS.index(split_of[i]), found[i].label, found[i].path)
    )
    return OwnFiles(
        root, tuple(videos[i] for i in order), tuple(found[i].identities for i in order), dict(ignored), given
    )


def _choose(folder: Path, names: dict[str, set[str]]) -> dict[str, Path]:
    """The sub-folders that stand for something, by what they stand for."""
    found: dict[str, Path] = {}
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for meaning, words in names.items():
        fitting = [path for path in inside if path.name.lower() in words]
        if len(fitting) > 1:
            raise UserError(
                f"{folder} holds {fitting[0].name}/ and {fitting[1].name}/, which both stand for {meaning}; "
                "put what is in them into one folder"
            )
        if fitting:
            found[meaning] = fitting[0]
    return found


def _of_classes(
    split: str | None, folder: Path, classes: dict[str, Path], rule: SplitRule, ignored: Counter[str]
) -> Iterator[_Found]:
    for label, name in enumerate(_CLASSES):
        if name not in classes and classes and split in (None, "test"):
            continue  # a test set of one class
        if name not in classes:
            raise DataNotFoundError(f"{folder} has no folder {name}/: put its {name} photos or videos there")
        paths = sorted(_files(classes[name], ignored))
        if not paths:
            kinds = ", ".join(sorted(PHOTO_SUFFIXES | VIDEO_SUFFIXES))
            raise DataNotFoundError(f"{classes[name]} holds no photo and no video ({kinds})")
        for path in paths:
            below = path.relative_to(classes[name]).as_posix()
            identities = identities_of(below, rule.pattern)
            if not identities:
                raise UserError(
                    f"data.identity={rule.identity!r} does not match {printable(below)!r} in {classes[name]}: it must "
                    "match the path of every file below real/ and fake/"
                )
            yield _Found(path, label, split, identities)


def _files(folder: Path, ignored: Counter[str]) -> Iterator[Path]:
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_refuse):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real in seen:  # a link to a folder above would go on for ever
            continue
        seen.add(real)
        for name in names:
            path = Path(place, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() in PHOTO_SUFFIXES | VIDEO_SUFFIXES:
                yield path
            else:
                ignored[path.suffix.lower() or "no suffix"] += 1


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error


def _splits_of(found: list[_Found], given: tuple[str, ...], rule: SplitRule) -> list[str]:
    if given and set(given) != {"train", "test"}:
        return [str(file.split) for file in found]
    if not given and len({file.label for file in found}) == 1:
        log.warning("All files are of one class: they are a test set.")
        return ["test"] * len(found)
    fractions = list(rule.fractions)
    if given:
        log.warning("There is no val/ in the folder: it is taken from train/, by the names of its files.")
        total = fractions[0] + fractions[1]
        fractions = [fractions[0] / total, fractions[1] / total, 0.0] if total else fractions
    open_files = [file for file in found if file.split in (None, "train")]
    groups = group_identities([file.identities for file in open_files])
    classes: dict[str, set[int]] = {}
    for file, group in zip(open_files, groups, strict=True):
        classes.setdefault(group, set()).add(file.label)
    split_of = split_groups(classes, fractions, rule.seed)
    drawn = iter(groups)
    return ["test" if file.split == "test" else split_of[next(drawn)] for file in found]


def _video(root: Path, file: _Found, split: str, given: tuple[str, ...]) -> Video:
    method = FAKE if file.label else PRISTINE
    # Names like 0001 stand for other people in each split that a folder gives.
    prefix = f"{file.split}/" if given else ""
    target, *others = (safe_name(f"{prefix}{identity}") for identity in file.identities)
    relative = file.path.relative_to(root).as_posix()
    video_id = f"{method}/{safe_name(file.path.stem, relative)}"
    return Video(video_id, method, file.label, split, target, "+".join(others), file.path)
