"""Provenance of a result: command, time, machine, code, data."""

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sr_deepfake
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import write_json

PROVENANCE, METRICS = "provenance.json", "metrics.json"  # of a folder of results
# What computes, or decides what is computed; those that are not installed are left out.
_PACKAGES = (
    "torch", "torchvision", "timm", "lightning", "torchmetrics", "numpy", "scipy", "pandas", "pyarrow", "pillow",
    "opencv-python", "opencv-python-headless", "av", "basicsr", "my-basicsr", "facenet-pytorch", "spandrel",
    "safetensors", "hydra-core", "omegaconf",
)  # fmt: skip


class _Started:
    """The job that this process does."""

    program = ""
    command = ""
    at = 0.0


def start(program: str, command: str) -> None:
    """Remember what was started, and when."""
    _Started.program, _Started.command, _Started.at = program, command, time.time()


def started_command() -> str:
    """The command that `start` was given, as it was typed."""
    return _Started.command


def describe(
    config: Mapping[str, Any], overrides: list[str], choices: Mapping[str, str], device: str, data: Mapping[str, str]
) -> dict[str, Any]:
    """Say where what this job makes comes from."""
    described = {
        "program": _Started.program,
        "command": _Started.command,
        "job": command_of(_Started.program, overrides),
        "overrides": overrides,
        "choices": dict(choices),
        "directory": os.getcwd(),
        "config": config,
        "data": dict(data),
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "device": device,
        "started": utc(_Started.at),
        "seconds": round(time.time() - _Started.at, 1),
    }
    git = commit(Path(__file__).resolve().parents[2])
    return described if git is None else described | {"git": git}


def command_of(program: str, overrides: list[str]) -> str:
    """A command as one can paste it."""
    return shlex.join(["python", "-m", f"sr_deepfake.{program}", *overrides])


def utc(seconds: float) -> str:
    """A time in seconds since 1970 as ISO 8601."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of this package and of those that compute."""
    found = {"sr-deepfake": sr_deepfake.__version__}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit(root: Path) -> dict[str, Any] | None:
    """The git commit of a checkout, and whether its code or configuration was changed since."""
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--", "sr_deepfake", "conf")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": head.strip(), "changed": bool(changed.strip())}


def _git(root: Path, *arguments: str) -> str:
    # Without optional locks, since a job must not disturb a commit that is made meanwhile.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def write_provenance(folder: Path, content: Mapping[str, Any]) -> None:
    """Write it into a folder of results, or of a detector."""
    write_json(folder / PROVENANCE, content)


def read_provenance(folder: Path) -> dict[str, Any]:
    """Read what `write_provenance` wrote."""
    try:
        content: dict[str, Any] = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        if not isinstance(content["overrides"], list) or not all(
            isinstance(word, str) for word in content["overrides"]
        ):
            raise ValueError("its overrides are no list of text")
        if content["program"] not in ("train", "evaluate"):
            raise ValueError(f"it is of the program {content['program']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"from_run={folder}: no {PROVENANCE} can be read there ({error}); name a folder of outputs/results or "
            "outputs/detectors"
        ) from error
    return content
