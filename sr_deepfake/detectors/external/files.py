"""Files of detectors from elsewhere: found, hashed, and told apart."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sr_deepfake.system.errors import UserError


def detector_file(path: str) -> Path:
    """The file of a detector.

    Raises:
        UserError: there is none.
    """
    if not path:
        raise UserError("model.path is empty: it names the detector's file")
    found = Path(path).expanduser()
    if not found.is_file():
        kind = "is a folder, not a file" if found.is_dir() else "is missing"
        raise UserError(f"model.path={path} {kind}")
    return found


def digest_of(files: Iterable[Path]) -> str:
    """Hash of the names and the bytes of files, hexadecimal.

    >>> digest_of([]) == hashlib.sha256().hexdigest()
    True
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while part := file.read(2**20):
                digest.update(part)
    return digest.hexdigest()


def need(package: str, error: ImportError) -> UserError:
    """The error that says which package is missing, and the command that installs it."""
    return UserError(f"this needs {package}, which is not here ({error}): pip install {package}")
