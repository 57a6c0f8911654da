"""The cells of an experiment, as its configuration and the command line span them, without doing any."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from sr_deepfake.cell import Cell, cell_of
from sr_deepfake.overrides import CONF

# What every cell is shown with; other keys that vary are shown beside.
_SHOWN = ("model", "forgery_method", "attack")


@dataclass(frozen=True)
class Grid:
    """The cells that a command does.

    Attributes:
        outputs: the folder where they are written.
        cells: in the order in which a sweep does them.
        varied: for each cell, the values of the keys that vary beside model, forgery method and attack.
        is_sweep: whether the command needs `-m`.
    """

    outputs: Path
    cells: list[Cell]
    varied: list[dict[str, str]]
    is_sweep: bool


def grid_of(program: str, overrides: Sequence[str], search: Path | None = None) -> Grid:
    """Find the cells that `python -m sr_deepfake.<program> -m <overrides>` would do.

    They come from `hydra.sweeper.params` of the configuration, which an experiment sets, and from values with commas
    in the overrides, which win.

    Args:
        program: whose configuration it is.
        overrides: as typed; what they say of a launcher is passed over.
        search: a further folder of configuration, as in `--config-dir`.

    Raises:
        HydraException: the configuration cannot be composed.

    Example:
        >>> grid = grid_of("train", ["model=swin,xception", "attack=none", "seed=1,2"])
        >>> [cell.model for cell in grid.cells], grid.varied[:2]
        (['swin', 'swin', 'xception', 'xception'], [{'seed': '1'}, {'seed': '2'}])
    """
    typed = [
        override for override in overrides if not override.startswith(("hydra/launcher", "hydra.launcher"))
    ]
    extra = [f"hydra.searchpath=[{search.resolve().as_uri()}]"] if search is not None else []
    parser = OverridesParser.create()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        fixed = [
            override.input_line or ""
            for override in parser.parse_overrides(typed)
            if not override.is_sweep_override()
        ]
        base = hydra.compose(program, [*fixed, *extra], return_hydra_config=True)
        params = [f"{key}={value}" for key, value in (base.hydra.sweeper.get("params") or {}).items()]
        (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*params, *typed]), None)
        configs = [hydra.compose(program, [*job, *extra], return_hydra_config=True) for job in jobs]
        cells = [
            cell_of(program, job, cfg, cfg.hydra.runtime.choices)
            for job, cfg in zip(jobs, configs, strict=True)
        ]
        outputs = Path(configs[0].paths.outputs)
    values = [dict(override.split("=", 1) for override in job if "=" in override) for job in jobs]
    varying = [key for key in values[0] if key not in _SHOWN and len({row.get(key) for row in values}) > 1]
    return Grid(
        outputs, cells, [{key: row[key] for key in varying} for row in values], len(jobs) > 1 or bool(params)
    )
