"""Starts every program: Hydra, errors in one line, Ctrl-C.

Nothing here imports torch: `--help` and a mistyped override must answer at once.
"""

import functools
import gc
import io
import logging
import os
import select
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from sr_deepfake.app.configuration import CONF, check_methods
from sr_deepfake.app.launchers import check_launcher
from sr_deepfake.app.overrides import completed
from sr_deepfake.app.sweep import as_user_error, is_job_of_a_sweep, report_failure
from sr_deepfake.experiment import provenance
from sr_deepfake.experiment.jobs import Job, Outcome, running
from sr_deepfake.system.errors import UserError

logger = logging.getLogger(__name__)

Task = Callable[[DictConfig, Outcome], None]
INTERRUPTED = "Interrupted. The same command, run again, goes on where this one ended."


def program(config_name: str) -> Callable[[Task], Callable[[], Any]]:
    """Make a Hydra application of a task, with `conf/<config_name>.yaml` as its configuration."""

    def decorate(task: Task) -> Callable[[], Any]:
        typed: list[str] = []  # travels with the job, whose own process may have been started otherwise

        @functools.wraps(task)
        def job(cfg: DictConfig) -> Any:
            return run(task, cfg, config_name, typed)

        application = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)

        def main() -> Any:
            typed[:] = sys.argv[1:]
            escape_what_cannot_be_shown()
            try:
                sys.argv[1:] = completed(config_name, sys.argv[1:])
            except UserError as error:
                misuse(str(error))
            try:
                return application()
            except ValueError as error:
                if not str(error).startswith("Only one of --run"):  # Hydra's words about flags
                    raise
                misuse(str(error))
            except KeyboardInterrupt:  # between jobs, or while other processes do them
                print(INTERRUPTED, file=sys.stderr)
                raise SystemExit(130) from None

        return main

    return decorate


def run(task: Task, cfg: DictConfig, name: str, typed: list[str]) -> float | None:
    """Run a task with its configuration; report what goes wrong as `program` says; return its objective, if any."""
    escape_what_cannot_be_shown()
    provenance.start(name, shlex.join(["python", "-m", f"sr_deepfake.{name}", *typed]))
    hydra_job, outputs = HydraConfig.get(), Path(cfg.paths.outputs)
    explain = functools.partial(as_user_error, outputs=outputs)
    skip = bool(cfg.get("evaluate") and cfg.evaluate.get("skip_missing_weights"))
    try:
        job = Job(program=name, overrides=tuple(hydra_job.overrides.task))  # an interpolation in them may fail
        with running(Path(hydra_job.runtime.output_dir), job, outputs, explain, skip) as outcome:
            if is_job_of_a_sweep():
                check_launcher(hydra_job, cfg.get("trainer"))  # the trainer may be what is swept over
            check_methods(cfg)
            task(cfg, outcome)
    except (KeyboardInterrupt, SystemExit) as end:
        # Lightning turns Ctrl-C into a SystemExit. A queue's own exit stays what it is.
        if isinstance(end, SystemExit) and not isinstance(end.__context__, KeyboardInterrupt):
            raise
        logger.error(INTERRUPTED)
        raise SystemExit(130) from None
    except Exception as error:
        if isinstance(error, BrokenPipeError) and nobody_reads():
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        known = explain(error)
        if is_job_of_a_sweep():
            report_failure(known or error)
        elif known is None:
            raise
        else:
            logger.error("error: %s", known)
            raise SystemExit(1) from None
        gc.collect()  # what the failed job still held, such as memory of a GPU, is the next one's
        return None
    gc.collect()
    return outcome.objective


def nobody_reads() -> bool:
    """Whether whoever read what is printed has ended, as `head` does."""
    output = select.poll()
    output.register(sys.stdout.fileno())
    return any(event & select.POLLERR for _, event in output.poll(0))


def escape_what_cannot_be_shown() -> None:
    """Print what the console has no letter for as an escape: a file's name must not end the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def misuse(message: str) -> NoReturn:
    """End with one line about the command line."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(2)
