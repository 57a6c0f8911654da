"""The folder where every run writes: whether it can be written to, and what to do where it cannot."""

import errno
import os
import uuid
from pathlib import Path

from sr_deepfake.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST)
_ELSEWHERE = "name another folder with paths.outputs=FOLDER or the environment variable SR_DEEPFAKE_OUTPUTS"


def check_writable(outputs: Path) -> None:
    """Make the folder if need be, and see that a file can be written there: before the work, not after it.

    Raises:
        UserError: it cannot.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> check_writable(folder / "outputs")
        >>> (folder / "file").write_text("")
        0
        >>> check_writable(folder / "file" / "outputs")
        Traceback (most recent call last):
        sr_deepfake.errors.UserError: .../file/outputs cannot be written to (Not a directory); ...
    """
    probe = outputs / f".writable.{uuid.uuid4().hex}"
    try:
        outputs.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        told = explain(error, outputs)
        if told is None:
            raise
        raise UserError(told) from error


def explain(error: OSError, outputs: Path) -> str | None:
    """Say in one line what a failed writing means and what mends it; None where the error means something else.

    Args:
        error: what the system said. A full disk is told whatever file it was; a refusal only within `outputs`.
        outputs: the folder where every run writes.
    """
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
            return f"{outputs} cannot be written to ({error.strerror}); {_ELSEWHERE}"
    return None
