"""Files that appear whole or not at all, names that are safe, folders that can be written to."""

import csv
import errno
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sr_deepfake.system.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder to write to; it replaces `path` at the end, unless there is an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Short, since the name may be as long as the file system takes; with the suffix, from which writers know the format.
    suffix = path.suffix if len(path.suffix) <= 10 else ""
    temporary = path.with_name(f".{uuid.uuid4().hex}.part{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON, sorted and indented."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def digest(content: Any) -> str:
    """Hash plain values: 64 hexadecimal digits of their canonical JSON, which differ when anything in it differs.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), digest({"a": 1}) == digest({"a": 1.5})
    (True, False)
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def file_digest(*paths: Path) -> str:
    """Hash the bytes of files: 64 hexadecimal digits."""
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file, whole or not at all (UTF-8; what is no UTF-8 in a file's name as its bytes)."""
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_text(path: Path) -> str:
    """Read a text that a user made: UTF-8, with or without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise UserError(f"{path} is no UTF-8 text; save it as UTF-8") from error


def safe_name(text: str, whole: str | None = None) -> str:
    r"""A name for files that tells as much of a text as is safe in a path, and a hash that makes it the only one."""
    plain = re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("._")[:40]
    digest = hashlib.sha256(os.fsencode(text if whole is None else whole)).hexdigest()[:12]
    return f"{plain}-{digest}" if plain else digest


def longer_name(path: Path, ending: str) -> Path:
    """A name next to a file's: its own and an ending, cut short where file systems take no longer one (255 bytes).

    >>> longer_name(Path("a/b.mp4"), ".preview.mp4"), len(longer_name(Path("ü" * 120), ".preview.mp4").name.encode())
    (PosixPath('a/b.mp4.preview.mp4'), 252)
    """
    own = os.fsencode(path.name)
    if len(own) + len(os.fsencode(ending)) <= 255:
        return path.with_name(f"{path.name}{ending}")
    mark = f"~{hashlib.sha256(own).hexdigest()[:8]}"
    kept = own[: 255 - len(mark) - len(os.fsencode(ending))].decode(errors="ignore")
    return path.with_name(f"{kept}{mark}{ending}")


def printable(text: str) -> str:
    r"""Text with what cannot be shown, or breaks a line, written as an escape.

    >>> printable("größe\n.png")
    'größe\\n.png'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


CACHE = "~/.cache/sr_deepfake"  # where the sample and downloaded weights are, by default
_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
_ELSEWHERE = "name another folder with paths.outputs=FOLDER or the environment variable SR_DEEPFAKE_OUTPUTS"


def check_writable(outputs: Path) -> None:
    """Make the folder if need be, and see that a file can be written there: before the work, not after it."""
    probe = outputs / f".writable.{uuid.uuid4().hex}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        message = explain(error, outputs)
        if message is None:
            raise
        raise UserError(message) from error


def explain(error: OSError, outputs: Path) -> str | None:
    """Say in one line what a failed writing, or a refused reading, means and what to do; None: unknown."""
    if error.errno in _FULL:
        folder = Path(error.filename).parent if isinstance(error.filename, str) else outputs
        return (
            f"there is no room left for what is written to {folder} ({error.strerror}); make some, or {_ELSEWHERE}. "
            "The same command, run again, goes on where this one ended"
        )
    # Compared as they are, links unfollowed: a folder that refuses may refuse to be looked into, too.
    if error.errno in _REFUSED and isinstance(error.filename, str):
        refused, written = os.path.abspath(error.filename), os.path.abspath(outputs)
        if os.path.commonpath([refused, written]) in (refused, written):
            whose = ""
            denied = error.errno in (errno.EACCES, errno.EPERM) and os.path.lexists(refused)
            if denied and os.lstat(refused).st_uid != os.getuid():
                whose = f", since {refused} is another user's (umask 002 and one group let several share a folder)"
            return f"{outputs} cannot be written to ({error.strerror}{whose}); {_ELSEWHERE}"
        cache = os.path.abspath(os.path.expanduser(os.environ.get("SR_DEEPFAKE_CACHE", CACHE)))
        if os.path.commonpath([refused, cache]) in (refused, cache) and refused != "/":
            return f"{cache} cannot be written to ({error.strerror}); SR_DEEPFAKE_CACHE=FOLDER in the environment names another"
    if isinstance(error.filename, str) and (isinstance(error, PermissionError) or error.errno == errno.EROFS):
        return f"{printable(error.filename)}: {error.strerror}"
    if isinstance(error, PermissionError) and error.errno is None and str(error):
        return str(error).splitlines()[0]  # a library's own words, such as W&B's about WANDB_DATA_DIR
    return None
