"""The command line of the programs that take `train`'s arguments and look at its cells: `status` and `summary`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from sr_deepfake.errors import UserError
from sr_deepfake.grid import Grid, grid_of
from sr_deepfake.overrides import completed, find_mistake

MISUSE = 2  # the exit status of a wrong command line


@dataclass(frozen=True)
class AskedGrid:
    """What was asked for.

    Attributes:
        typed: the command line without the program's name.
        search: further folder of configuration, as `--config-dir` names it.
        grid: the cells.
    """

    typed: list[str]
    search: str | None
    grid: Grid


def asked_grid(hydra_answers: Callable[[], object]) -> AskedGrid | None:
    """Read the command line.

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
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(MISUSE) from None
    args = get_args_parser().parse_args(sys.argv[1:])
    if args.help or args.hydra_help or args.cfg or args.info or args.shell_completion:
        hydra_answers()
        return None
    try:
        mistake = find_mistake("train", sys.argv[1:])
        if mistake:
            raise HydraException(mistake)
        grid = grid_of("train", args.overrides, Path(args.config_dir) if args.config_dir else None)
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(MISUSE) from None
    return AskedGrid(typed, args.config_dir, grid)
