"""Loggers of experiments that need more than their class: W&B, TensorBoard, MLflow."""

import importlib.util
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from sr_deepfake.metrics.collection import LOGGED
from sr_deepfake.metrics.figures import Metrics
from sr_deepfake.metrics.predictions import SETUPS
from sr_deepfake.reporting.numbers import CHANGED
from sr_deepfake.system.errors import UserError

if TYPE_CHECKING:
    from sr_deepfake.experiment.results import Result
    from sr_deepfake.reporting.report import Report

_LONGEST_TAG = 64  # characters, of W&B
_LOGGED = {
    **dict.fromkeys(SETUPS, LOGGED),
    "similarity/pristine": ("ssim", "psnr"),
    "similarity/fake": ("ssim", "psnr"),
    "correlation": ("ssim_pearson", "psnr_pearson"),
}
# W&B would try for ever; what it has not sent in these seconds, it has on disk.
PATIENCE: dict[str, Any] = {"init_timeout": 60, "finish_timeout": 120, "x_graphql_retry_max": 3}

log = logging.getLogger(__name__)


def wandb_logger(
    project: str,
    name: str,
    group: str | None,
    tags: Sequence[str],
    save_dir: str,
    job_type: str,
    checkpoint: bool = False,
) -> WandbLogger | None:
    """A W&B run of its own for this job. `WANDB_MODE=offline` keeps it on this machine, `disabled` writes nothing.

    checkpoint: send the detector's weights too, as an artifact; kept as `checkpoint` at the logger.
    """
    mode = os.environ.get("WANDB_MODE", "")
    if mode == "disabled":
        return None
    import wandb  # here, since it takes a second that nobody else has to wait for

    offline = mode in ("offline", "dryrun")
    later = "WANDB_MODE=offline keeps the run on this machine, and `wandb sync FOLDER` sends it later"
    if not offline and not wandb.login(prompt=False, verify=False):
        raise UserError(f"logger=wandb: W&B has no API key (`wandb login` stores one); {later}")
    made = WandbLogger(
        project=project,
        name=name,
        group=group,
        tags=list(dict.fromkeys(tag[:_LONGEST_TAG] for tag in tags if tag)),
        save_dir=save_dir,
        job_type=job_type,
        settings=wandb.Settings(**PATIENCE),
    )
    try:
        run = made.experiment  # begins it
    except wandb.errors.Error as error:
        raise UserError(f"logger=wandb: W&B refused the run ({str(error).splitlines()[0]}); {later}") from error
    if offline:
        log.info("W&B, offline. To send it: wandb sync %s", Path(run.dir).parent)
    # Curves stay out of the run's summary, which is for what the test found. By their full names: Lightning has defined
    # "*" already, and W&B takes the first pattern that fits.
    curves = ["train/loss_step", "train/loss_epoch", "val/loss", "val/rounded_loss", "epoch", "trainer/global_step"]
    for curve in (*curves, *(f"val/{name}" for name in LOGGED)):
        run.define_metric(curve, summary="none")
    made.checkpoint = checkpoint  # type: ignore[attr-defined]  # read where results are logged
    return made


def tensorboard_logger(save_dir: str) -> Logger:
    """Lightning's own; its files are in `<save_dir>/tensorboard`."""
    _require("tensorboard")
    return TensorBoardLogger(save_dir, name="tensorboard", version="")


def mlflow_logger(experiment: str, name: str, tags: Sequence[str], address: str) -> Logger:
    """Lightning's own."""
    _require("mlflow")
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MLFlowLogger(experiment, run_name=name, tracking_uri=address, tags={tag: "true" for tag in tags if tag})


def track_results(
    logger: Logger, result: "Result | None", metrics: Metrics, logged: Collection[str], files: Mapping[str, Path]
) -> None:
    """Log a run's figures, as `test/both/fnr` and so on; on W&B, its pictures and files too."""
    logger.log_metrics({name: value for name, value in figures_of(metrics).items() if name not in logged})
    if isinstance(logger, WandbLogger) and result is not None:
        from sr_deepfake.tracking.wandb import log_results

        log_results(logger.experiment, result, files)


def require_reports(logger: Logger | None) -> None:
    """Refuse a logger that takes no reports, before one is made."""
    if logger is not None and not isinstance(logger, WandbLogger):
        raise UserError("a report is logged to W&B alone: logger=wandb, or logger=none")


def track_report(logger: Any, report: "Report", out: Path) -> None:
    """Log a report to W&B: its tables, figures, grid and page."""
    from sr_deepfake.tracking.wandb import log_report

    log_report(logger.experiment, report, out)


def figures_of(metrics: Metrics) -> dict[str, float]:
    """The figures of a logger's summary, about forty; metrics.json has the rest, with intervals."""
    rows: dict[str, float | None] = {"test/faces": metrics.counts.faces}
    for setup, names in _LOGGED.items():
        figures = metrics.figures.get(setup, {})
        for name in names:
            rows[f"test/{setup}/{name}"] = figures[name].value if name in figures else None
            if setup in SETUPS[1:] and name in CHANGED and name in figures:
                rows[f"test/changes/{setup}/{name}"] = figures[name].change
    return {name: float(value) for name, value in rows.items() if value is not None}


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UserError(f"logger={package} needs the package {package}, which is not installed: pip install {package}")
