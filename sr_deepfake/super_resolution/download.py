"""Fetching published weights: checked by their hash, whole or not at all."""

import hashlib
import http.client
import logging
import socket
import sys
import urllib.error
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import torch
from filelock import FileLock

from sr_deepfake.system.errors import MissingWeightsError, UserError

TIMEOUT = 30.0  # seconds without an answer
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A file that a network's authors offer.

    Args:
        url: its address.
        sha256: the hash of its content or the start of it, hexadecimal; None: it is not known.

    Example:
        >>> Published("https://example.org/edsr_x2-0edfb8a3.pt", "0edfb8a3").name
        'edsr_x2-0edfb8a3.pt'
    """

    url: str
    sha256: str | None

    @property
    def name(self) -> str:
        """The file's name."""
        return unquote(urlparse(self.url).path).rpartition("/")[2]


def is_whole(path: Path, published: Published) -> bool:
    """Whether there is a file whose content has the published hash, if one is known.

    Example:
        >>> is_whole(Path("missing.pt"), Published("https://example.org/missing.pt", "0edfb8a3"))
        False
    """
    if not path.is_file() or published.sha256 is None:
        return path.is_file()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(published.sha256)


def fetch(published: Published, path: Path, option: str) -> None:
    """Make sure that `path` holds a published file: download it unless a file with its hash is there.

    Several processes may ask for it at once: one downloads, the others wait.

    Args:
        published: the file.
        path: where it is to be. What is there with another hash is replaced.
        option: how a user names a file of their own, for messages.

    Raises:
        UserError: in one line with the address: no network, a transfer that was cut off, another hash, or a folder that
            cannot be written to.
    """
    try:
        if is_whole(path, published):
            return
        if path.is_file():
            log.warning("%s is not the published file (its SHA-256 is another); it is downloaded again", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not is_whole(path, published):
                _download(published, path)
    except _DownloadError as error:
        raise MissingWeightsError(
            f"{published.url} could not be downloaded: {error}; put the file at {path} or name it with {option}"
        ) from None
    except OSError as error:
        raise UserError(
            f"{path} cannot be used ({error.strerror or error}); choose another folder with paths.cache=FOLDER, "
            f"or name a file with {option} ({published.url})"
        ) from None


class _DownloadError(Exception):
    """Why a download did not work, in words."""


def _download(published: Published, path: Path) -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)  # torch.hub has none of its own
    try:
        torch.hub.download_url_to_file(
            published.url, str(path), published.sha256, progress=sys.stderr.isatty()
        )
    except urllib.error.HTTPError as error:
        with error:
            raise _DownloadError(f"the server answers {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _DownloadError(f"the server cannot be reached ({error.reason})") from None
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        raise _DownloadError(" ".join(str(error).split()) or type(error).__name__) from None
    finally:
        socket.setdefaulttimeout(before)
