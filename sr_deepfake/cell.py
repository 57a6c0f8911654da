"""One cell of an experiment: what its figures depend on, and what became of it."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

# Parts of the configuration that change no figure, or that name what other parts hold.
_NO_FIGURES = (
    "paths",
    "cache",
    "logger",
    "prepare",
    "train",
    "evaluate",
    "run_name",
    "run_tags",
    "from_run",
    "input",
    "summary",
)
_NO_DATA = ("source", "illustration")


@dataclass(frozen=True)
class Cell:
    """One cell of an experiment, and what became of it.

    Attributes:
        program: that does it, as in `python -m sr_deepfake.<program>`.
        overrides: that make it what it is.
        settings: all that its figures depend on, as far as the configuration tells.
        model: short name.
        forgery: method.
        attack: short name.
        data: name of the data set.
        state: "missing", "running", "done", "failed", or "interrupted" (it was running, and its process is gone).
        since: when it began, in seconds since 1970.
        seconds: how long it took, once it ended.
        pid: the job's process.
        host: the job's machine.
        error: what it failed of, in one line.
        result: folder of its results, in the outputs.
    """

    program: str
    overrides: list[str]
    settings: dict[str, Any]
    model: str
    forgery: str
    attack: str
    data: str
    state: str = "missing"
    since: float = 0.0
    seconds: float = 0.0
    pid: int = 0
    host: str = ""
    error: str = ""
    result: str = ""

    @property
    def name(self) -> str:
        """Name of the cell's file: for people, with ten digits that differ when any setting differs."""
        canonical = json.dumps([self.program, self.settings], sort_keys=True, separators=(",", ":"))
        digits = hashlib.sha256(canonical.encode()).hexdigest()[:10]
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.model}-{self.forgery}-{self.attack}")
        return f"{label}-{digits}"


def cell_of(program: str, overrides: Sequence[str], cfg: DictConfig, **settings: Any) -> Cell:
    """The cell that a configuration describes.

    Args:
        program: that does it.
        overrides: that the configuration was composed with.
        cfg: the configuration.
        **settings: what else it depends on.
    """
    kept = {
        str(key): _plain(cfg[key])
        for key in cfg
        if key not in _NO_FIGURES and not OmegaConf.is_missing(cfg, str(key))
    }
    data = {key: value for key, value in kept["data"].items() if key not in _NO_DATA}
    for place in ("root", "splits"):
        if data.get(place) is not None:
            data[place] = os.path.abspath(os.path.expanduser(str(data[place])))
    if data.get("crops") is not None:  # in the outputs as a rule, which may be moved as a whole
        data["crops"] = os.path.relpath(os.path.expanduser(data["crops"]), cfg.paths.outputs)
    trainer = {"precision": cfg.trainer.precision}
    if cfg.trainer.get("augmentation", "loader") != "loader":
        trainer["augmentation"] = cfg.trainer.augmentation
    kept |= {"data": data, "trainer": trainer} | settings
    return Cell(
        program=program,
        overrides=list(overrides),
        settings=_without_caches(kept),
        model=str(cfg.model.label),
        forgery=str(cfg.forgery_method.name) if "forgery_method" in cfg else "",
        attack=str(cfg.attack.label),
        data=str(cfg.data.name),
    )


def cell_of_job(program: str, cfg: DictConfig, **settings: Any) -> Cell:
    """The cell that this job of Hydra does; the arguments are those of `cell_of`."""
    return cell_of(program, list(HydraConfig.get().overrides.task), cfg, **settings)


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _without_caches(settings: Any) -> Any:
    """Settings less the folders that only save time."""
    if isinstance(settings, Mapping):
        return {key: _without_caches(value) for key, value in settings.items() if key != "cache"}
    if isinstance(settings, list):
        return [_without_caches(value) for value in settings]
    return settings
