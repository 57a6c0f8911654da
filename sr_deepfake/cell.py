"""One cell of an experiment: what its figures depend on, and what became of it."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sr_deepfake.overrides import attack_label

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
    "log_folder",
    "trainer",
    "hydra",
)
# Callbacks that change no weight.
NO_WEIGHTS = ("last_checkpoint", "learning_rate_monitor", "progress_bar", "signals")
_NO_SOURCE = ("workers", "settings")
_NO_TRAINING = (
    "accelerator",
    "devices",
    "enable_progress_bar",
    "log_every_n_steps",
    "plugins",
    "profiler",
    "strategy",
)


@dataclass(frozen=True)
class Cell:
    """One cell of an experiment, and what became of it.

    Attributes:
        program: that does it, as in `python -m sr_deepfake.<program>`.
        overrides: that make it what it is.
        settings: all that its figures depend on, as far as the configuration tells.
        model: short name.
        forgery: method.
        attack: short name, before it is built.
        data: name of the data set.
        state: "missing", "running", "done", "failed", "skipped" (weights are missing), or "interrupted" (it was
            running, and its process is gone).
        since: when it began, in seconds since 1970.
        seconds: how long it took, once it ended.
        pid: the job's process.
        host: the job's machine.
        error: what it failed of, in one line.
        result: folder of its results, in the outputs.
        choices: of some groups, as Hydra names them, to show it with.
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
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the cell's file: for people, with ten digits that differ when any setting differs."""
        canonical = json.dumps([self.program, self.settings], sort_keys=True, separators=(",", ":"))
        digits = hashlib.sha256(canonical.encode()).hexdigest()[:10]
        label = re.sub(r"[^A-Za-z0-9_.-]", "_", f"{self.model}-{self.forgery}-{self.attack}")
        return f"{label}-{digits}"


def cell_of(
    program: str,
    overrides: Sequence[str],
    cfg: DictConfig,
    choices: Mapping[str, str],
    model: str | None = None,
    **settings: Any,
) -> Cell:
    """The cell that a configuration describes; nothing is built for it.

    Args:
        program: that does it.
        overrides: that the configuration was composed with.
        cfg: the configuration.
        choices: of the groups, as Hydra names them.
        model: short name of the model; None: the configuration's.
        **settings: what else it depends on.
    """
    kept = {
        str(key): _plain(cfg[key])
        for key in cfg
        if key not in _NO_FIGURES and not OmegaConf.is_missing(cfg, str(key))
    }
    source = {key: value for key, value in kept["data"]["source"].items() if key not in _NO_SOURCE}
    for place in ("root", "splits"):
        if source.get(place) is not None:
            source[place] = os.path.abspath(os.path.expanduser(str(source[place])))
    if source.get("crops") is not None:  # in the outputs as a rule, which may be moved as a whole
        source["crops"] = os.path.relpath(os.path.expanduser(source["crops"]), cfg.paths.outputs)
    data = {key: value for key, value in kept["data"].items() if key != "workers"}
    # Not resolved: to ask the machine for its device takes seconds.
    trainer: Any = OmegaConf.to_container(cfg.trainer, resolve=False)
    trainer = {key: value for key, value in trainer.items() if key not in _NO_TRAINING}
    callbacks = {key: value for key, value in kept.get("callbacks", {}).items() if key not in NO_WEIGHTS}
    kept |= {"data": data | {"source": source}, "trainer": trainer, "callbacks": callbacks} | settings
    return Cell(
        program=program,
        overrides=list(overrides),
        settings=_without_caches(kept),
        model=model or str(cfg.model.label),
        forgery=str(cfg.forgery_method.name),
        attack=attack_label(choices, kept["attack"]),
        data=str(choices["data"]),
        choices={group: str(choices.get(group, "none")) for group in ("attack", "sr_model", "defence")},
    )


def cell_of_job(program: str, cfg: DictConfig, **settings: Any) -> Cell:
    """The cell that this job of Hydra does; the arguments are those of `cell_of`."""
    hydra = HydraConfig.get()
    return cell_of(program, list(hydra.overrides.task), cfg, hydra.runtime.choices, **settings)


def protocol_is_given() -> bool:
    """Whether the command line names a protocol; otherwise a detector is attacked under the one it was trained with."""
    return any(override.startswith("protocol") for override in HydraConfig.get().overrides.task)


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def _without_caches(settings: Any) -> Any:
    """Settings less the folders that only save time."""
    if isinstance(settings, Mapping):
        return {key: _without_caches(value) for key, value in settings.items() if key != "cache"}
    if isinstance(settings, list):
        return [_without_caches(value) for value in settings]
    return settings
