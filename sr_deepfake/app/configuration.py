"""The configuration: its folder, its plain values, and which parts of a stored one may be built.

A folder of results or of a detector may come from somebody else. What it names is built only if `conf/` itself names
it, and nothing in it is resolved: `${oc.env:...}` could send a secret away.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import sr_deepfake.app.resolvers  # noqa: F401  # conf/ cannot be composed without them
from sr_deepfake.system.errors import UserError

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the configuration inside the package; in a checkout it stands beside it.
CONF = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

_TARGET = re.compile(r"^\s*_target_: *([\w.]+)", re.MULTILINE)
_SPECIAL = re.compile(r"_\w+_")  # Hydra's own keys
_RUNS_CODE = (
    "sr_deepfake.detectors.external.python.PythonDetector"  # which its options name: typed, or not at all
)


def plain(node: Any) -> Any:
    """A part of the configuration as plain values, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def words(node: Any) -> list[str]:
    """A word of the configuration, or a list of them, as a list."""
    found = plain(node)
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]


@functools.cache
def known_targets(*groups: str) -> frozenset[str]:
    """Every class and function that `conf/` names and that does not run what its options name.

    Args:
        *groups: those of these groups alone; none: all.

    Example:
        >>> sorted(known_targets("logger"))[0]
        'lightning.pytorch.loggers.CSVLogger'
    """
    folders = [CONF / group for group in groups] or [CONF]
    files = [file for folder in folders for file in folder.rglob("*.yaml")]
    named = {name for file in files for name in _TARGET.findall(file.read_text(encoding="utf-8"))}
    return frozenset(name for name in named if name != _RUNS_CODE)


def checked(content: Any, source: str, *groups: str) -> Any:
    """Return a stored configuration if it is safe to build.

    Args:
        content: plain values.
        source: where it is from, for messages.
        *groups: of `conf/`, whose classes it may name; none: all.

    Raises:
        UserError: it names what `conf/` does not, or has an interpolation in it.

    Example:
        >>> checked({"_target_": "os.system", "command": "true"}, "a/provenance.json")
        Traceback (most recent call last):
        sr_deepfake.system.errors.UserError: a/provenance.json names 'os.system', which conf/ does not; it is not built
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == "_target_":
                if value not in known_targets(*groups):
                    raise UserError(f"{source} names {value!r}, which conf/ does not; it is not built")
            elif _SPECIAL.fullmatch(str(key)) and key != "_partial_":
                raise UserError(f"{source} has the key {key!r}, which is for Hydra alone; it is not built")
            checked(value, source, *groups)
    elif isinstance(content, list):
        for item in content:
            checked(item, source, *groups)
    elif isinstance(content, str) and "${" in content:
        raise UserError(f"{source} has an interpolation in it ({content!r}); it is not resolved")
    return content


def checked_overrides(overrides: Sequence[str], source: str) -> list[str]:
    """Return an earlier run's overrides if they are safe to repeat: choices of `conf/`, and plain values of its keys.

    Folders that the earlier run wrote to are left out: what is typed now decides.

    Raises:
        UserError: one of them sets up Hydra, names code, or has an interpolation in it.

    Example:
        >>> checked_overrides(["model=swin", "paths.outputs=/elsewhere"], "a/provenance.json")
        ['model=swin']
    """
    kept = []
    for override in overrides:
        key, _, value = override.partition("=")
        name = key.lstrip("+~")
        if (
            name.startswith(("hydra", "model.factory", "model.trust"))
            or "${" in override
            or _SPECIAL.search(f" {value} ")
            or any(_SPECIAL.fullmatch(part) for part in name.split("."))
        ):
            raise UserError(
                f"{source} was started with {override!r}, which is not repeated for a folder that may come from "
                "somebody else; type it yourself beside the other options"
            )
        if not name.startswith(("paths.", "cache.folder")):
            kept.append(override)
    return kept
