"""Starts every program: Hydra, errors in one line, Ctrl-C.

Nothing here imports torch: `--help` and a mistyped override have to answer at once.
"""

import functools
import gc
import io
import logging
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.launchers import check_launcher
from sr_deepfake.app.overrides import completed, find_mistake
from sr_deepfake.app.sweep import forget_failure, is_job_of_a_sweep, mendable, record_failure
from sr_deepfake.experiment import provenance
from sr_deepfake.system.errors import UserError

logger = logging.getLogger(__name__)

Task = Callable[[DictConfig], Any]
INTERRUPTED = "Interrupted. The same command, run again, goes on where this one ended."


def program(config_name: str) -> Callable[[Task], Callable[[], Any]]:
    """Make a Hydra application of a task, with `conf/<config_name>.yaml` as its configuration.

    Mistyped overrides end with status 2 and the nearest valid choice; a `UserError` of the task ends with
    status 1 and its message alone. In a sweep (`-m`), a job that fails is told and stops no other; the failed
    ones are listed at the end, with status 1.
    """

    def decorate(task: Task) -> Callable[[], Any]:
        typed: list[str] = []  # travels with the job, whose own process may have been started otherwise

        @functools.wraps(task)
        def job(cfg: DictConfig) -> Any:
            return run(task, cfg, config_name, typed)

        application = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)

        def main() -> Any:
            typed[:] = sys.argv[1:]
            _print_any_name()
            try:
                sys.argv[1:] = completed(config_name, sys.argv[1:])
            except UserError as error:
                _misuse(str(error))
            mistake = find_mistake(config_name, sys.argv[1:])
            if mistake:
                _misuse(mistake)
            try:
                return application()
            except ValueError as error:
                if not str(error).startswith("Only one of --run"):  # Hydra's words about flags
                    raise
                _misuse(str(error))
            except KeyboardInterrupt:  # between jobs, or while other processes do them
                print(INTERRUPTED, file=sys.stderr)
                raise SystemExit(130) from None

        return main

    return decorate


def run(task: Task, cfg: DictConfig, name: str, typed: list[str]) -> Any:
    """Run a task with its configuration; tell what goes wrong as `program` says.

    Args:
        task: what to run.
        cfg: the configuration.
        name: of the program, as in `python -m sr_deepfake.<name>`.
        typed: the arguments that it was started with.
    """
    _print_any_name()
    provenance.start(name, shlex.join(["python", "-m", f"sr_deepfake.{name}", *typed]))
    try:
        forget_failure()
        if is_job_of_a_sweep():
            check_launcher(HydraConfig.get(), cfg.get("trainer"))  # the trainer may be what is swept over
        return task(cfg)
    except KeyboardInterrupt:
        logger.error(INTERRUPTED)
        raise SystemExit(130) from None
    except SystemExit as end:
        # What Lightning makes of Ctrl-C. A queue's own exit stays what it is.
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        logger.error(INTERRUPTED)
        raise SystemExit(130) from None
    except Exception as error:
        told = mendable(error, Path(cfg.paths.outputs))
        if is_job_of_a_sweep():
            record_failure(told or error)
        elif told is None:
            raise
        else:
            logger.error("error: %s", told)
            raise SystemExit(1) from None
    gc.collect()  # what the failed job still held, such as memory of a GPU, is the next one's
    return None


def _print_any_name() -> None:
    """What the console cannot show is escaped: a file's name must not end the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _misuse(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)
