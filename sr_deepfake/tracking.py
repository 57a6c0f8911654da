"""Loggers of experiments that need more than their class: W&B, which must neither hang nor crash a training."""

import importlib.util
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from sr_deepfake.detectors.callbacks import BEST
from sr_deepfake.errors import UserError
from sr_deepfake.metrics.predictions import read_predictions

if TYPE_CHECKING:
    from sr_deepfake.reporting.report import Report

PREDICTIONS = "predictions.parquet"
EXAMPLES = 8  # of each kind, at most
REACHABLE_WITHIN = 5.0  # s

log = logging.getLogger(__name__)


def wandb_logger(
    project: str,
    name: str,
    group: str | None,
    tags: Sequence[str],
    save_dir: str,
    job_type: str,
    checkpoint: bool = False,
) -> WandbLogger:
    """A W&B run of its own for this job; on this machine alone where W&B cannot be used.

    `WANDB_MODE` is respected. Without it, a run is offline if there is no API key, or if the service does not answer.

    Args:
        project: that the run belongs to.
        name: of the run.
        group: of the run; None: the sweep's name, so that its jobs stand together.
        tags: of the run.
        save_dir: folder in which W&B keeps its files.
        job_type: such as "train".
        checkpoint: send the detector's weights too, as an artifact; stands as `checkpoint` at the logger.
    """
    import wandb  # here, since it takes a second that nobody else has to wait for

    # W&B would try for ever; what it has not sent in these seconds, it has on disk.
    patience = wandb.Settings(init_timeout=60, finish_timeout=120, x_graphql_retry_max=3)
    settings: dict[str, Any] = {
        "project": project,
        "name": name,
        "group": group or _sweep(),
        "tags": list(dict.fromkeys(tags)),
        "save_dir": save_dir,
        "job_type": job_type,
        "settings": patience,
    }
    reason = _why_offline()
    if reason is None:
        made = WandbLogger(**settings)
        try:
            made.experiment  # noqa: B018  # begins the run
            made.checkpoint = checkpoint  # type: ignore[attr-defined]  # read where results are logged
            return made
        except wandb.errors.Error as error:
            reason = f"W&B refused the run ({str(error).splitlines()[0]})"
    if reason:
        log.warning("%s: this run stays on this machine; `wandb sync FOLDER` sends it later.", reason)
    offline = WandbLogger(mode="offline", **settings)
    offline.checkpoint = checkpoint  # type: ignore[attr-defined]
    log.info("W&B, offline. To send it: wandb sync %s", Path(offline.experiment.dir).parent)
    return offline


def _why_offline() -> str | None:
    """Why a run cannot be online; None: it can; "": it is not wished."""
    import wandb

    mode = os.environ.get("WANDB_MODE", "")
    if mode in ("offline", "disabled", "dryrun"):
        return ""
    if not wandb.login(prompt=False, verify=False):
        return "W&B has no API key (`wandb login` makes it known)"
    address = wandb.setup().settings.base_url
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=REACHABLE_WITHIN):
            return None
    except urllib.error.HTTPError:
        return None  # somebody answers
    except (OSError, ValueError) as error:
        return f"W&B does not answer at {address} ({error})"


def _sweep() -> str | None:
    """The name of the sweep that this job belongs to; None for a job of its own."""
    hydra = HydraConfig.get()
    return Path(hydra.sweep.dir).name if hydra.mode == RunMode.MULTIRUN else None


def tensorboard_logger(save_dir: str) -> Logger:
    """Lightning's own; its files are in `<save_dir>/tensorboard`.

    Raises:
        UserError: TensorBoard is not installed.
    """
    _require("tensorboard", "tensorboard", "tensorboard")
    return TensorBoardLogger(save_dir, name="tensorboard", version="")


def mlflow_logger(experiment: str, name: str, tags: Sequence[str], address: str) -> Logger:
    """Lightning's own.

    Args:
        experiment: that the run belongs to.
        name: of the run.
        tags: of the run.
        address: of the tracking server, or of a file: "sqlite:///outputs/mlflow.db".

    Raises:
        UserError: MLflow is not installed.
    """
    _require("mlflow", "mlflow", "mlflow")
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MLFlowLogger(
        experiment, run_name=name, tracking_uri=address, tags={tag: "true" for tag in tags if tag}
    )


def track_results(
    logger: Logger,
    metrics: Mapping[str, Any],
    results: Path,
    detector: Path | None = None,
    logged: Collection[str] = (),
) -> None:
    """Log a cell: every figure as `test/both/fnr` and so on; on W&B curves, tables and files too.

    Args:
        logger: of the job.
        metrics: of the cell.
        results: folder of its results.
        detector: folder of the detector, to keep its checkpoint as an artifact of W&B; None: it is not kept.
        logged: figures that the test itself has logged.
    """
    figures = flat(metrics, "test/")
    logger.log_metrics({name: figures[name] for name in figures if name not in logged})
    if isinstance(logger, WandbLogger):
        from sr_deepfake.illustrating import illustrate_results
        from sr_deepfake.reporting.wandb_results import log_results

        examples, notes = illustrate_results(results, EXAMPLES)
        for note in notes:
            log.warning("%s", note)
        files = {"predictions": results}
        if detector is not None:
            files["model"] = detector / BEST
        log_results(logger.experiment, read_predictions(results / PREDICTIONS), examples, files)


def track_report(logger: Logger, report: "Report", out: Path) -> None:
    """Log a report: its tables, figures, grid and page, on W&B.

    Args:
        logger: of the report.
        report: what was made.
        out: the folder that it was written to.

    Raises:
        UserError: the logger is not W&B's.
    """
    if not isinstance(logger, WandbLogger):
        raise UserError("a report is logged to W&B alone: logger=wandb, or logger=none")
    from sr_deepfake.reporting.wandb_report import log_report

    log_report(logger.experiment, report, out)


def flat(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures under one name each; what is no number is left out.

    Example:
        >>> flat({"both": {"fnr": 0.25, "note": "x"}}, "test/")
        {'test/both/fnr': 0.25}
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            found[f"{prefix}{name}"] = float(value)
    return found


def _require(module: str, package: str, choice: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"logger={choice} needs the package {package}, which is not installed: pip install {package}"
        )
