"""The configuration: its folder, its plain values, and which overrides of a stored run may be repeated."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

import sr_deepfake.app.resolvers  # noqa: F401  # conf/ cannot be composed without them
from sr_deepfake.system.errors import UserError, choose

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the configuration inside the package; in a checkout it is next to it.
CONF = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())

_SPECIAL = re.compile(r"_(target|partial|args|recursive|convert|here|global)_")  # Hydra's own keys


def plain(node: Any) -> Any:
    """A part of the configuration as plain values, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def words(node: Any) -> list[str]:
    """A word of the configuration, or a list of them, as a list."""
    found = plain(node)
    return [str(item) for item in found] if isinstance(found, list) else [str(found)]


def check_methods(cfg: DictConfig) -> None:
    """See that the data set has the forgery methods that were typed, before torch is imported, which takes seconds."""
    known = cfg.get("data") and cfg.data.source.get("methods")
    for name in ("forgery", "tested_on"):
        if known and cfg.get(name) is not None:
            choose(cfg[name], known, name)


def checked_overrides(overrides: Sequence[str], source: str) -> list[str]:
    """Return an earlier run's overrides if they are safe to repeat: they may come from somebody else."""
    kept = []
    for override in overrides:
        key, _, value = override.partition("=")
        name = key.lstrip("+~")
        special = any(_SPECIAL.fullmatch(part) for part in re.split(r"[.@:]", name)) or (
            "{" in value and _SPECIAL.search(value)
        )
        if name.startswith(("hydra", "model.factory", "model.trust", "model.repo")) or "${" in override or special:
            raise UserError(
                f"{source} was started with {override!r}, which is not repeated for a folder that may come from "
                "somebody else; type it yourself, next to the other options"
            )
        if not name.startswith(("paths.", "cache.folder")):
            kept.append(override)
    return kept
