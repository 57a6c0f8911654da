"""Fetching published weights: checked, whole or not at all."""

import hashlib
import http.client
import logging
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlparse

from filelock import FileLock
from tqdm import tqdm

from sr_deepfake.system.errors import MissingWeightsError, UserError
from sr_deepfake.system.files import replacing

TIMEOUT = 30.0  # seconds without an answer
_PIECE = 1 << 16  # bytes
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A file that a network's authors offer.

    Args:
        url: its address.
        sha256: the hash of its content or the start of it, hexadecimal; `""` when it is not known. Only files
            whose hash is known are fetched by this program.

    Example:
        >>> Published("https://example.org/edsr_x2-0edfb8a3.pt", "0edfb8a3").name
        'edsr_x2-0edfb8a3.pt'
    """

    url: str
    sha256: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return unquote(urlparse(self.url).path).rpartition("/")[2]


def is_whole(path: Path, published: Published) -> bool:
    """Whether there is a file whose content has the published hash (any content where none is known).

    Example:
        >>> is_whole(Path("missing.pt"), Published("https://example.org/missing.pt"))
        False
    """
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(published.sha256)


def fetch(published: Published, path: Path, option: str) -> None:
    """Make sure that `path` holds a published file: download it unless a file with its hash is there.

    Several processes may ask for it at once: one downloads, the others wait.

    Args:
        published: the file; its hash is known.
        path: where it is to be; it appears whole or not at all. What is there with another hash is replaced.
        option: how a user names a file of their own, for messages.

    Raises:
        UserError: in one line with the address: no network, an answer that is no file, a transfer that was cut
            off, another hash, or a folder that cannot be written to.
    """
    try:
        if is_whole(path, published):
            return
        if path.is_file():
            _log.warning(
                "%s is not the published file (its SHA-256 is another); it is downloaded again", path
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not is_whole(path, published):
                _download(published, path)
    except _DownloadError as error:
        raise MissingWeightsError(
            f"{published.url} could not be downloaded: {error}; "
            f"put the file at {path} or name it with {option}"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be used ({error.strerror or error}); choose another folder with paths.cache=FOLDER, "
            f"or name a file with {option} ({published.url})"
        ) from None


class _DownloadError(Exception):
    """Why a download did not work, in words."""


def _download(published: Published, path: Path) -> None:
    digest = hashlib.sha256()
    with _open(published.url) as answer, replacing(path) as beside, open(beside, "wb") as file:
        expected = int(answer.headers.get("Content-Length") or 0)
        # disable=None: no bar where the output is no terminal
        bar = tqdm(
            total=expected or None, unit="B", unit_scale=True, desc=published.name, disable=None, leave=False
        )
        with bar:
            while piece := _read(answer):
                digest.update(piece)
                file.write(piece)
                bar.update(len(piece))
        file.flush()
        os.fsync(file.fileno())
        received = file.tell()
        if received < expected:
            raise _DownloadError(f"the connection broke after {received:,} of {expected:,} bytes")
        if not digest.hexdigest().startswith(published.sha256):
            raise _DownloadError(
                f"its SHA-256 starts with {digest.hexdigest()[: len(published.sha256)]}, "
                f"not {published.sha256}: the file was changed or is another"
            )


def _open(url: str) -> http.client.HTTPResponse:
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            raise _DownloadError(f"the server answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _DownloadError(f"the server cannot be reached ({error.reason})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _DownloadError(f"the server does not answer properly ({_words(error)})") from None
    return answer


def _read(answer: IO[bytes]) -> bytes:
    try:
        return answer.read(_PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise _DownloadError(f"the connection broke ({_words(error)})") from None


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
