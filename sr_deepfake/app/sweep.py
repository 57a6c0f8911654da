"""Sweeps: checks before the first job, errors that the user can fix, failed jobs listed after the last one."""

import logging
import os
import shlex
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sr_deepfake.app.launchers import check_launcher
from sr_deepfake.experiment.jobs import JOB, Job
from sr_deepfake.system.errors import UserError, last_line
from sr_deepfake.system.files import check_writable, explain

_COMMAND = "SR_DEEPFAKE_COMMAND"  # in the environment: what tells this start of a program from others

logger = logging.getLogger(__name__)

_INDETERMINATE = " does not have a deterministic implementation"  # torch's words

# Of jobs in this process, by their command: where the disk is full there may be no file of them.
_failures: dict[str, str] = {}


def is_job_of_a_sweep() -> bool:
    """Whether this is one job of `-m`, wherever it runs."""
    return bool(HydraConfig.get().mode == RunMode.MULTIRUN)


def wants_objective() -> bool:
    """Whether the sweep's sweeper, as Optuna's, asks each job for a figure."""
    return is_job_of_a_sweep() and not HydraConfig.get().sweeper._target_.endswith(".BasicSweeper")


def command_id() -> str:
    """Identify this start of a program, for all jobs of its sweep; a queue that restarts a job keeps it."""
    hydra = HydraConfig.get()
    return os.environ.get(_COMMAND) or str(hydra.sweep.dir if is_job_of_a_sweep() else hydra.runtime.output_dir)


def as_user_error(error: BaseException, outputs: Path) -> UserError | None:
    """The error as one that the user can fix, or None."""
    if isinstance(error, UserError):
        return error
    message = _message(error, outputs)
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        # Hydra wraps what goes wrong while it builds an object. A value that the object does not take is a mistake.
        key, error = str(error).rpartition("full_key: ")[2], error.__cause__
        if not (isinstance(error, TypeError | ValueError | ImportError) or _is_lightnings(error)):
            return as_user_error(error, outputs)
        message = f"{key}: {last_line(error)}"
    return UserError(message).with_traceback(error.__traceback__) if message else None


def _message(error: BaseException, outputs: Path) -> str | None:
    """What went wrong and how to fix it, in one line; None: unknown."""
    words = str(error)
    if isinstance(error, OSError):
        return explain(error, outputs)
    if isinstance(error, OmegaConfBaseException):
        return " ".join(words.partition("\n    object_type=")[0].split())
    if _is_lightnings(error) or (isinstance(error, ValueError) and "`val_check_interval`" in words):
        return f"trainer: {last_line(error)}"
    if not isinstance(error, RuntimeError):
        return None
    if words.startswith("Early stopping conditioned on"):
        return (
            "the training ended before a validation, which chooses the epoch that is kept: a limit of the trainer "
            "(trainer.max_steps, max_time, limit_train_batches) is shorter than an epoch. +trainer.fast_dev_run=true "
            "goes through every step once"
        )
    if "PytorchStreamWriter failed" in words:
        return (
            f"a checkpoint could not be written below {outputs}: the disk is full, or a quota is reached. Make room, or name "
            "another folder with paths.outputs=FOLDER; the same command, run again, goes on where this one ended"
        )
    if "DataLoader worker" in words or "unable to open shared mem" in words:
        return (
            f"a process that loads faces ended ({last_line(error)}). Where shared memory is small, as in a container: "
            "data.workers=0, or `docker run --shm-size=8g`"
        )
    if _INDETERMINATE in words:
        layer = words.partition(_INDETERMINATE)[0].split()[-1]
        return (
            f"trainer.deterministic=true: on this device torch has no deterministic {layer}, which the model needs. "
            "trainer.deterministic=warn goes on without it and says so"
        )
    return None


def _is_lightnings(error: BaseException) -> bool:
    """Whether Lightning says that it was asked for what it cannot do (by name: to import it takes seconds)."""
    return type(error).__name__ == "MisconfigurationException"


def report_failure(error: BaseException) -> None:
    """Report in one line that this job of a sweep failed, and write the traceback to the job's log."""
    logger.error("error: %s", last_line(error))
    text = "".join(traceback.format_exception(error))
    record = logger.makeRecord(logger.name, logging.ERROR, __file__, 0, text, (), None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.handle(record)
    _failures[shlex.join(HydraConfig.get().overrides.task)] = last_line(error)


class Watch(Callback):
    """Hydra's callback of every program: looks at outputs and launcher before a sweep, lists failed jobs after it."""

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        """End at once, with status 1, where nothing can be written."""
        os.environ[_COMMAND] = uuid.uuid4().hex
        with _ending_at_once(config):
            check_writable(Path(config.paths.outputs))

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        """End at once, with status 1, where nothing can be written or launched."""
        os.environ[_COMMAND] = uuid.uuid4().hex  # which the jobs' processes inherit
        _failures.clear()
        with _ending_at_once(config):
            check_writable(Path(config.paths.outputs))
            check_launcher(config.hydra, config.get("trainer"))
            if config.hydra.job.name in ("train", "evaluate"):
                check_faces(config)
                check_weights(config)
        if config.hydra.runtime.choices["hydra/launcher"] == "submitit_local":
            # Jobs that run at once are not to take all cores each; joblib's and Ray's launchers see to that themselves.
            os.environ.setdefault("OMP_NUM_THREADS", "1")

    def on_multirun_end(self, config: DictConfig, **kwargs: object) -> None:
        """List the jobs that failed, in whatever process they ran, and end with status 1 if any did."""
        failures = dict(_failures)
        logs = {}
        for file in sorted(Path(config.hydra.sweep.dir).glob(f"**/{JOB}")):
            job = Job.model_validate_json(file.read_bytes())
            command = shlex.join(job.overrides)
            logs[command] = file.parent
            if job.state == "failed":
                failures[command] = job.error
        if failures:
            lines = [f"{len(failures)} job(s) of the sweep failed, the others did not:"]
            for command, error in failures.items():
                lines += [f"  {command}", f"    {error}", f"    log: {logs.get(command, '-')}"]
            print("\n".join([*lines, "The same command, run again, does only what is missing."]), file=sys.stderr)
            raise SystemExit(1)


def check_weights(config: DictConfig) -> None:
    """Look for the weights of a sweep's SR network once, before a job trains for hours."""
    asked = dict(config.hydra.sweeper.get("params") or {})  # what is typed wins over an experiment's
    asked |= dict(word.split("=", 1) for word in config.hydra.overrides.task if "=" in word)
    attacks = str(asked.get("attack", config.hydra.runtime.choices.get("attack"))).split(",")
    swept = any(
        "," in str(asked.get(key, "")) for key in ("sr_model", "sr_model.weights", "sr_model.scale", "attack.scale")
    )
    if swept or config.evaluate.skip_missing_weights:
        return
    if "sr" in attacks:
        instantiate(config.sr_model)
    if "restoration" in attacks:
        from sr_deepfake.super_resolution.restoration import restoration_network  # it loads torch

        restoration_network(config.sr_model.weights)


def check_faces(config: DictConfig) -> None:
    """See that the faces of a sweep's data set are there, once, before thirty jobs say that they are not."""
    asked = [word for word in config.hydra.overrides.task if word.startswith(("data=", "data.", "extraction."))]
    if any("," in word for word in asked):
        return
    source = instantiate(config.data.source)
    if hasattr(source, "require_faces"):
        source.require_faces()


@contextmanager
def _ending_at_once(config: DictConfig) -> Iterator[None]:
    try:
        yield
    except (InstantiationException, UserError) as error:
        known = as_user_error(error, Path(config.paths.outputs))
        if known is None:
            raise
        # Hydra turns an exception of a callback into a warning.
        print(f"error: {known}", file=sys.stderr)
        raise SystemExit(1) from None
