"""The runs that a command spans, without doing any; and the command line of the programs that look at them."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr_deepfake.app.configuration import CONF, plain
from sr_deepfake.app.overrides import completed, find_mistake
from sr_deepfake.app.resolvers import attack_label
from sr_deepfake.app.sweep import mendable
from sr_deepfake.experiment.runs import Outcome, Run, RunStore
from sr_deepfake.system.errors import UserError

# Configuration sections that do not affect results.
_NO_FIGURES = (
    "paths", "cache", "logger", "prepare", "train", "evaluate", "run_name", "run_tags", "from_run", "input",
    "log_folder", "trainer", "hydra",
)  # fmt: skip
# Callbacks that do not affect weights.
NO_WEIGHTS = ("last_checkpoint", "learning_rate_monitor", "progress_bar", "signals")
_NO_SOURCE = ("workers", "settings")
_NO_TRAINING = (
    "accelerator", "devices", "enable_progress_bar", "log_every_n_steps", "plugins", "profiler", "strategy",
)  # fmt: skip
# What every run is shown with; other keys that vary are shown beside.
_SHOWN = ("model", "forgery_method", "attack")
MISUSE = 2  # the exit status of a wrong command line


@dataclass(frozen=True)
class Grid:
    """The runs of a command.

    Attributes:
        outputs: the folder where they are written.
        runs: in the order in which a sweep does them.
        varied: for each run, the values of the keys that vary beside model, forgery method and attack.
        is_sweep: whether the command needs `-m`.
    """

    outputs: Path
    runs: list[Run]
    varied: list[dict[str, str]]
    is_sweep: bool


def grid_of(program: str, overrides: Sequence[str], search: Path | None = None) -> Grid:
    """Find the runs of `python -m sr_deepfake.<program> -m <overrides>`.

    They come from `hydra.sweeper.params` of the configuration, which an experiment sets, and from values with commas
    in the overrides, which win.

    Args:
        program: whose configuration it is.
        overrides: as typed; those of a launcher are ignored.
        search: a further folder of configuration, as in `--config-dir`.

    Raises:
        HydraException: the configuration cannot be composed.

    Example:
        >>> grid = grid_of("train", ["model=swin,xception", "attack=none", "seed=1,2"])
        >>> [run.model for run in grid.runs], grid.varied[:2]
        (['swin', 'swin', 'xception', 'xception'], [{'seed': '1'}, {'seed': '2'}])
    """
    typed = [
        override for override in overrides if not override.startswith(("hydra/launcher", "hydra.launcher"))
    ]
    extra = [f"hydra.searchpath=[{search.resolve().as_uri()}]"] if search is not None else []
    with _hydra_of_our_own():
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        parsed = parser.parse_overrides(typed)
        fixed = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
        base = hydra.compose(program, [*fixed, *extra], return_hydra_config=True)
        params = [f"{key}={value}" for key, value in (base.hydra.sweeper.get("params") or {}).items()]
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*params, *typed]), None)
        configs = [hydra.compose(program, [*job, *extra], return_hydra_config=True) for job in jobs]
        runs = [_run_or_its_words(program, job, cfg) for job, cfg in zip(jobs, configs, strict=True)]
        outputs = Path(configs[0].paths.outputs)
    values = [dict(override.split("=", 1) for override in job if "=" in override) for job in jobs]
    varying = [key for key in values[0] if key not in _SHOWN and len({row.get(key) for row in values}) > 1]
    varied = [{key: row[key] for key in varying} for row in values]
    return Grid(outputs, runs, varied, is_sweep=len(jobs) > 1 or bool(params))


def _run_or_its_words(program: str, job: Sequence[str], cfg: DictConfig) -> Run:
    """The run of a configuration; where a value that is needed is missing, one that cannot have been done."""
    choices = cfg.hydra.runtime.choices
    try:
        return run_of(program, job, cfg, choices)
    except OmegaConfBaseException:
        forgery, attack = str(choices["forgery_method"]), attack_label(choices, {})
        unknown = {"unresolved": list(job)}
        return Run(program, list(job), unknown, str(choices["model"]), forgery, attack, str(choices["data"]))


@contextmanager
def _hydra_of_our_own() -> Iterator[None]:
    """Compose from `conf/`, within a program that Hydra has started too."""
    its = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = its


@dataclass(frozen=True)
class AskedGrid:
    """A command line of `train`'s arguments.

    Attributes:
        typed: the command line without the program's name.
        grid: the runs.
    """

    typed: list[str]
    grid: Grid


def asked_grid(hydra_answers: Callable[[], object]) -> AskedGrid | None:
    """Read the command line of a program that takes `train`'s arguments and looks at its runs.

    Args:
        hydra_answers: the program as Hydra runs it, which answers --help, --cfg and the like.

    Returns:
        None where Hydra has answered.

    Raises:
        SystemExit: the command line is wrong; one line says why.
    """
    typed = sys.argv[1:]
    try:
        sys.argv[1:] = completed("train", typed)
        args = get_args_parser().parse_args(sys.argv[1:])
        if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
            hydra_answers()
            return None
        if mistake := find_mistake("train", sys.argv[1:]):
            raise UserError(mistake)
        grid = grid_of("train", args.overrides, Path(args.config_dir) if args.config_dir else None)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(MISUSE) from None
    return AskedGrid(typed, grid)


def run_of(
    program: str,
    overrides: Sequence[str],
    cfg: DictConfig,
    choices: Mapping[str, str],
    model: str | None = None,
    **settings: Any,
) -> Run:
    """The run that a configuration describes; nothing is built for it.

    Args:
        program: that does it.
        overrides: that the configuration was composed with.
        cfg: the configuration.
        choices: of the groups, as Hydra names them.
        model: short name of the model; None: the configuration's.
        **settings: what else it depends on.
    """
    keys = [str(key) for key in cfg if key not in _NO_FIGURES and not OmegaConf.is_missing(cfg, str(key))]
    kept: dict[str, Any] = {key: plain(cfg[key]) for key in keys}
    source = {key: value for key, value in kept["data"]["source"].items() if key not in _NO_SOURCE}
    for name in ("root", "splits"):
        if source.get(name) is not None:
            source[name] = os.path.abspath(os.path.expanduser(str(source[name])))
    if source.get("crops") is not None:  # in the outputs as a rule, which may be moved as a whole
        source["crops"] = os.path.relpath(os.path.expanduser(source["crops"]), cfg.paths.outputs)
    data = {key: value for key, value in kept["data"].items() if key != "workers"}
    # Not resolved: to ask the machine for its device takes seconds.
    trainer: Any = OmegaConf.to_container(cfg.trainer, resolve=False)
    trainer = {key: value for key, value in trainer.items() if key not in _NO_TRAINING}
    callbacks = {key: value for key, value in kept.get("callbacks", {}).items() if key not in NO_WEIGHTS}
    kept |= {"data": data | {"source": source}, "trainer": trainer, "callbacks": callbacks} | settings
    return Run(
        program=program,
        overrides=list(overrides),
        settings=_without_caches(kept),
        model=model or str(cfg.model.label),
        forgery=str(cfg.forgery_method.name),
        attack=attack_label(choices, kept["attack"]),
        data=str(choices["data"]),
    )


def run_of_job(program: str, cfg: DictConfig, **settings: Any) -> Run:
    """The run that this job of Hydra does; the arguments are those of `run_of`."""
    job = HydraConfig.get()
    return run_of(program, list(job.overrides.task), cfg, job.runtime.choices, **settings)


def running(run: Run, cfg: DictConfig) -> AbstractContextManager[Outcome]:
    """Do a run, as `RunStore.running` says, in the outputs of a configuration."""
    outputs = Path(cfg.paths.outputs)
    store = RunStore(outputs, lambda error: mendable(error, outputs), cfg.evaluate.skip_missing_weights)
    return store.running(run)


def _without_caches(settings: Any) -> Any:
    """Settings less the folders that only save time."""
    if isinstance(settings, Mapping):
        return {key: _without_caches(value) for key, value in settings.items() if key != "cache"}
    return [_without_caches(value) for value in settings] if isinstance(settings, list) else settings
