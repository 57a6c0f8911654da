"""Input and output files of a command line: photos and videos, and where each one's result goes."""

import codecs
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import encoding_of, printable
from sr_deepfake.system.photos import is_photo


@dataclass(frozen=True)
class File:
    """A file that is meant.

    Attributes:
        path: its own.
        place: where its result belongs below the output folder.
    """

    path: Path
    place: Path


@dataclass(frozen=True)
class Job:
    """A file and where its result goes."""

    source: Path
    target: Path


@dataclass
class Files:
    """Files named by a command line.

    Attributes:
        found: the files, sorted within each folder.
        single: whether one file was named, rather than a folder, a pattern or a list.
        left_alone: files in the folders that are neither photos nor videos, by their names.
    """

    found: list[File] = field(default_factory=list)
    single: bool = False
    left_alone: int = 0


def find_files(wish: object, without: Path | None = None) -> Files:
    """The photos and videos of `input=`.

    Args:
        wish: a file, a folder (with all below it, hidden files left out), a pattern, `@FILE` with one of these a
            line (or between NUL bytes, as `find -print0` writes them), or a list of them.
        without: a folder that is left out, since results go there.

    Raises:
        UserError: nothing is named, or there is nothing by a name.
    """
    listed = wish if isinstance(wish, list | tuple) else [] if wish is None else [wish]
    wishes = [str(item) for item in listed]  # Hydra takes a name of digits for a number
    if not wishes:
        raise UserError("no input is named; name a photo, a video, a folder or a pattern with input=PATH")
    files = Files(single=len(wishes) == 1)
    for item in wishes:
        for name in _listed(item[1:]) if item.startswith("@") and not os.path.lexists(item) else [item]:
            files.single = files.single and name == item
            _add(files, name, without)
    return files


def _listed(name: str) -> list[str]:
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise UserError(f"input=@{printable(name)}: the list cannot be read ({error.strerror})") from None
    encoding = encoding_of(Path(name))
    if encoding == "utf-8-sig":
        data = data.removeprefix(codecs.BOM_UTF8)  # names may be any bytes
    else:
        try:
            data = os.fsencode(data.decode(encoding))
        except UnicodeDecodeError as error:
            raise UserError(f"input=@{printable(name)}: the list is no {encoding} ({error})") from None
    separator = b"\0" if b"\0" in data else b"\n"
    names = [os.fsdecode(line.removesuffix(b"\r")) for line in data.split(separator) if line.strip(b"\r")]
    if not names:
        raise UserError(f"input=@{printable(name)}: the list is empty")
    for line in names:
        if len(line) == 1 and Path(line).is_dir():
            raise UserError(
                f"input=@{printable(name)}: the list names the folder {line!r}. Is it UTF-16 without a byte order "
                "mark? Save it as UTF-8; a folder of one letter is named as ./X"
            )
    return names


def _add(files: Files, name: str, without: Path | None) -> None:
    path = _path(name)
    if path.is_dir():
        files.single = False
        found = list(_below(path, without))
        meant = [file for file in found if is_media(file)]
        files.left_alone += len(found) - len(meant)
        files.found += [File(file, file.relative_to(path)) for file in meant]
        if not meant:
            raise UserError(f"input={printable(name)}: there is no photo or video in this folder")
    elif path.exists() or not glob.has_magic(name):
        # Explicitly named paths are always kept, whatever their suffix; the reader reports missing or unknown ones.
        files.found.append(File(path, Path(path.name)))
    else:
        files.single = False
        root = Path(_before_magic(str(path)))
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        meant = [match for match in matches if match.is_file() and is_media(match)]
        files.found += [File(match, match.relative_to(root)) for match in meant]
        if not meant:
            raise UserError(
                f"input={printable(name)}: there is nothing of this name, and no photo or video fits it as a pattern"
            )


def is_media(path: Path) -> bool:
    """Whether a file is taken for a photo or a video, by its suffix.

    Example:
        >>> is_media(Path("a.JPG")), is_media(Path("a.mp4")), is_media(Path("a.txt"))
        (True, True, False)
    """
    return is_photo(path) or is_video(path)


def _below(folder: Path, without: Path | None) -> Iterator[Path]:
    left_out = without.resolve() if without is not None else None
    if left_out == folder.resolve():  # results go among the inputs
        left_out = None
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(place, name).resolve() != left_out
        )
        yield from (Path(place, name) for name in sorted(names) if not name.startswith("."))


def _before_magic(pattern: str) -> str:
    """The folder of a pattern up to its first part with a wildcard."""
    parts = Path(pattern).parts
    plain = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return os.path.join(*parts[:plain]) if plain else ""


def output_folder(output: str | None) -> Path | None:
    """The folder that results go to, where there is one already."""
    folder = _path(output) if output else None
    return folder if folder is not None and folder.is_dir() else None


def plan_jobs(files: Files, output: str | None, overwrite: bool = False) -> list[Job]:
    """Plan where each file's result goes.

    Args:
        files: what is meant.
        output: for a single file, its result's name, or a folder (one that exists, or a name that ends with a
            slash); otherwise a folder, below which the input's folders are kept.
        overwrite: whether a result may take its own input's place.

    Raises:
        UserError: no output is named; a result would take the place of an input (the message says how to have
            that), or two results would have one name.
    """
    if not output:
        raise UserError("no output is named; name a file or a folder with output=PATH")
    folder = _path(output)
    as_file = files.single and not output.endswith(("/", os.sep)) and not folder.is_dir()
    if not as_file and folder.exists() and not folder.is_dir():
        raise UserError(f"output={printable(output)}: it is a file; several results need a folder")
    jobs = [Job(file.path, folder if as_file else folder / file.place) for file in files.found]
    _refuse_two_of_one_name(jobs)
    _refuse_to_overwrite(jobs, overwrite)
    return jobs


def _refuse_two_of_one_name(jobs: list[Job]) -> None:
    sources: dict[Path, Path] = {}
    for job in jobs:
        if job.target in sources:
            raise UserError(
                f"{printable(str(sources[job.target]))} and {printable(str(job.source))} would both be written to "
                f"{printable(str(job.target))}; attack them one after the other, with two outputs"
            )
        sources[job.target] = job.source


def _refuse_to_overwrite(jobs: list[Job], own: bool) -> None:
    """Refuse results that would take an input's place; their own input's if that is not wanted, another's always."""
    inputs = {_identity(job.source): job.source for job in jobs}
    for job in jobs:
        place = _identity(job.target)
        mine = place == _identity(job.source)
        if place not in inputs or (mine and own):
            continue
        told = f"the output {printable(str(job.target))} is the input {printable(str(inputs[place]))}"
        raise UserError(f"{told}; name another output{', or say overwrite=true' if mine else ''}")


def _identity(path: Path) -> tuple[int, int] | Path:
    """Key that is equal for two names of one file, through links."""
    try:
        status = path.stat()
    except OSError:
        return path.absolute()
    return status.st_dev, status.st_ino


def _path(name: str) -> Path:
    """A name as it is typed; ~ stands for the home folder only where a slash follows it."""
    return Path(name).expanduser() if name.startswith("~/") else Path(name)
