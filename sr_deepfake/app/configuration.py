"""The configuration: its folder, its plain values, and the resolvers of `conf/`: `${accelerator:}` and others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.system import hardware
from sr_deepfake.system.errors import UserError, choose

_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the configuration inside the package; in a checkout it is next to it.
CONF = next(folder for folder in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if folder.is_dir())


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


def _severity(chosen: Any, *values: Any) -> Any:
    """The value that stands for a severity, from 1 (mild) on; null: none was chosen."""
    if not isinstance(chosen, int) or isinstance(chosen, bool) or not 1 <= chosen <= len(values):
        raise UserError(f"attack.severity must be one of 1 to {len(values)}, not {chosen}; or set the option itself")
    return values[chosen - 1]


def _forgery(_root_: Any) -> str:
    """The forgery method that is trained on: the typed one, or else the data set's first."""
    methods = _root_.data.source.get("methods") or ["fakes"]
    return str(_root_.get("forgery") or methods[0])


def _attack_scale(_root_: Any) -> int:
    """K of the attack; of a chain, that of the first attack in it which has one; 2 where none has."""
    attack = _root_.get("attack") or {}
    parts = [attack, *(attack[name] for name in attack if not OmegaConf.is_interpolation(attack, name))]
    scales = [part.scale for part in parts if isinstance(part, DictConfig) and "scale" in part]
    return int(scales[0]) if scales else 2


def _edsr_weights(scale: int, _root_: Any) -> Any:
    """The weights that `sr_model` is given, where it is EDSR-baseline of a scale; null (the package's) where it is not."""
    network = _root_.get("sr_model") or {}
    same = [network.get(name) for name in ("blocks", "features", "res_scale", "scale")] == [16, 64, 1.0, scale]
    return network.get("weights") if same else None


def _attack_label(_root_: Any) -> str:
    """Label of an attack before it is built: the beginning of its name, as sr-edsr-x2 or jpeg."""
    choices, attack = HydraConfig.get().runtime.choices, _root_.attack
    kind = f"sr-{choices['sr_model']}" if choices["attack"] == "sr" else choices["attack"]
    return f"{kind}-x{attack['scale']}" if "scale" in attack else kind


def _on_sample(data: str, there: str, otherwise: str) -> str:
    """One choice of a group where the data are the sample, another where they are not."""
    return there if data == "sample" else otherwise


def _on_ffpp(there: Any, otherwise: Any, _root_: Any) -> Any:
    """One value where the data are FaceForensics++, another where they are not."""
    return there if _root_.data.source.get("name") == "ffpp" else otherwise


def _of_square(_root_: Any) -> str:
    """End of a folder's name, so that faces that are cut on the shorter side have a folder of their own."""
    return "" if _root_.extraction.square == "longer" else f"-{_root_.extraction.square}"


def _file_label(name: Any) -> str:
    """Short name of a detector in a file: the file's own, less its suffix; of a function, that of its module."""
    place = str(name or "external").rstrip("/").rpartition(":")
    whole = Path(place[0] or place[2]).name
    stem = whole if Path(str(name or "")).is_dir() else re.sub(r"\.(onnx|pth?|pt2|py|safetensors|ckpt|bin)$", "", whole)
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem)[:60] or "external"


def _sweep() -> str | None:
    """The name of the sweep that this job belongs to; None for a job of its own."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    return Path(HydraConfig.get().sweep.dir).name


# The first two ask the machine, when they are resolved: torch takes seconds.
_RESOLVERS: dict[str, Callable[..., Any]] = {
    "accelerator": hardware.best_accelerator,
    "precision": hardware.precision,
    "severity": _severity,
    "forgery": _forgery,
    "attack_scale": _attack_scale,
    "edsr_weights": _edsr_weights,
    "attack_label": _attack_label,
    "on_sample": _on_sample,
    "on_ffpp": _on_ffpp,
    "of_square": _of_square,
    "file_label": _file_label,
    "sweep": _sweep,
}
for name, resolver in _RESOLVERS.items():
    OmegaConf.register_new_resolver(name, resolver, replace=True)
