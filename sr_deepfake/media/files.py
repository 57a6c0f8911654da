"""Input and output files of a command line: photos and videos, and where each one's result goes."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable
from sr_deepfake.system.photos import is_photo


@dataclass(frozen=True)
class File:
    """An input file, and the path of its result below the output folder."""

    path: Path
    relative: Path


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


def find_files(requested: object, without: Path | None = None) -> Files:
    """The photos and videos of `input=`: a file, a folder (without hidden files), a pattern, or a list of them."""
    listed = requested if isinstance(requested, list | tuple) else [] if requested is None else [requested]
    if not listed:
        raise UserError("no input is named; name a photo, a video, a folder or a pattern with input=PATH")
    files = Files(single=len(listed) == 1)
    for item in listed:
        _add(files, str(item), without)  # Hydra takes a name of digits for a number
    return files


def _add(files: Files, name: str, without: Path | None) -> None:
    path = _path(name)
    if path.is_dir():
        root, found = path, list(_below(path, without))
    elif path.exists() or not glob.has_magic(name):
        # Explicitly named paths are always kept, whatever their suffix; the reader reports missing or unknown ones.
        files.found.append(File(path, Path(path.name)))
        return
    else:
        root = Path(_before_magic(str(path)))
        found = [Path(match) for match in sorted(glob.glob(str(path), recursive=True)) if Path(match).is_file()]
    files.single = False
    media = [file for file in found if is_photo(file) or is_video(file)]
    files.left_alone += len(found) - len(media) if path.is_dir() else 0
    files.found += [File(file, file.relative_to(root)) for file in media]
    if not media:
        where = "in this folder" if path.is_dir() else "of this name, and none that fits it as a pattern"
        raise UserError(f"input={printable(name)}: there is no photo or video {where}")


def _below(folder: Path, without: Path | None) -> Iterator[Path]:
    left_out = without.resolve() if without is not None else None
    if left_out == folder.resolve():  # results go among the inputs
        left_out = None
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(parent, name).resolve() != left_out
        )
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


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
    """Plan where each file's result goes."""
    if not output:
        raise UserError("no output is named; name a file or a folder with output=PATH")
    folder = _path(output)
    as_file = files.single and not output.endswith(("/", os.sep)) and not folder.is_dir()
    if not as_file and folder.exists() and not folder.is_dir():
        raise UserError(f"output={printable(output)}: it is a file; several results need a folder")
    jobs = [Job(file.path, folder if as_file else folder / file.relative) for file in files.found]
    inputs = {_identity(job.source): job.source for job in jobs}
    sources: dict[Path, Path] = {}
    for job in jobs:
        source, target = printable(str(job.source)), printable(str(job.target))
        if other := sources.get(job.target):
            raise UserError(
                f"{printable(str(other))} and {source} would both be written to {target}; attack them one after the "
                "other, with two outputs"
            )
        sources[job.target] = job.source
        written = _identity(job.target)
        own = written == _identity(job.source)
        if written in inputs and not (own and overwrite):
            option = ", or set overwrite=true" if own else ""
            raise UserError(
                f"the output {target} is the input {printable(str(inputs[written]))}; name another output{option}"
            )
    return jobs


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
