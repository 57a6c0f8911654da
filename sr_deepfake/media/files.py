"""Input and output files of a command line: photos and videos, and where each one's result goes."""

import glob
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sr_deepfake.data.extraction.video import is_video
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import longer_name, printable
from sr_deepfake.system.photos import is_photo

PREVIEW = ".preview.png"  # what the name of a result's preview ends with


@dataclass(frozen=True)
class Job:
    """A file and where its result goes."""

    source: Path
    target: Path


@dataclass
class Files:
    """Files named by a command line."""

    found: list[Job] = field(default_factory=list)  # sorted within each folder; targets are below the output folder
    single: bool = False  # whether one file was named, rather than a folder, a pattern or a list
    left_alone: int = 0  # files in the folders that are neither photos nor videos, by their names, or previews


def find_files(requested: object, output: str = "") -> Files:
    """The photos and videos of `input=`: files, patterns, and folders (without hidden files, and those in `output`)."""
    listed = requested if isinstance(requested, list | tuple) else [] if requested is None else [requested]
    if not listed:
        raise UserError("no input is named; name a photo, a video, a folder or a pattern with input=PATH")
    files = Files(single=len(listed) == 1)
    for item in listed:
        _add(files, str(item), output)  # Hydra takes a name of digits for a number
    return files


def _add(files: Files, name: str, output: str) -> None:
    path = _path(name)
    if path.is_dir():
        root, found = path, list(_below(path, output))
    elif path.exists() or not glob.has_magic(name):
        # Explicitly named paths are always kept, whatever their suffix; the reader reports missing or unknown ones.
        files.found.append(Job(path, Path(path.name)))
        return
    else:
        root = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        found = [Path(match) for match in sorted(glob.glob(str(path), recursive=True)) if Path(match).is_file()]
    files.single = False
    media = [file for file in found if is_photo(file) or is_video(file)]
    if not name.endswith(PREVIEW):
        media = [file for file in media if not file.name.endswith(PREVIEW)]
    files.left_alone += len(found) - len(media) if path.is_dir() else 0
    files.found += [Job(file, file.relative_to(root)) for file in media]
    if not media:
        where = "in this folder" if path.is_dir() else "of this name, and none that fits it as a pattern"
        raise UserError(f"input={printable(name)}: there is no photo or video {where}")


def _below(folder: Path, output: str) -> Iterator[Path]:
    left_out = _path(output).resolve() if output else None
    if left_out == folder.resolve():  # results go among the inputs
        left_out = None
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(parent, name).resolve() != left_out
        )
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def plan_jobs(files: Files, output: str, overwrite: bool = False, preview: bool = False) -> list[Job]:
    """Plan where each file's result goes, and its preview."""
    if not output:
        raise UserError("no output is named; name a file or a folder with output=PATH")
    folder = _path(output)
    as_file = files.single and not output.endswith(("/", os.sep)) and not folder.is_dir()
    if not as_file and folder.exists() and not folder.is_dir():
        raise UserError(f"output={printable(output)}: it is a file; several results need a folder")
    jobs = [Job(file.source, folder if as_file else folder / file.target) for file in files.found]
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
    for job in jobs if preview else ():
        if other := sources.get(longer_name(job.target, PREVIEW)):
            source, names = printable(str(job.source)), printable(str(other))
            raise UserError(f"the preview of {source} and the result of {names} would be one file; set preview=false")
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
