"""Loggers of experiments that need more than their class: W&B, which must neither hang nor crash a training."""

import importlib.util
import logging
import os
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from sr_deepfake.metrics.classification import detector_metrics
from sr_deepfake.metrics.setups import SETUPS
from sr_deepfake.system.errors import UserError

if TYPE_CHECKING:
    from sr_deepfake.reporting.report import Report

REACHABLE_WITHIN = 5.0  # s
_LONGEST_TAG = 64  # characters, of W&B

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
    """A W&B run of its own for this job; on this machine alone where W&B cannot be used.

    `WANDB_MODE` is respected; `disabled` writes nothing. Without it, a run is offline if there is no API key, or if
    the service does not answer.

    Args:
        project: that the run belongs to.
        name: of the run.
        group: of the run: the sweep's name, so that its jobs stand together.
        tags: of the run.
        save_dir: folder in which W&B keeps its files.
        job_type: such as "train".
        checkpoint: send the detector's weights too, as an artifact; stands as `checkpoint` at the logger.
    """
    if os.environ.get("WANDB_MODE") == "disabled":
        return None
    import wandb  # here, since it takes a second that nobody else has to wait for

    # W&B would try for ever; what it has not sent in these seconds, it has on disk.
    patience = wandb.Settings(init_timeout=60, finish_timeout=120, x_graphql_retry_max=3)
    settings: dict[str, Any] = {
        "project": project,
        "name": name,
        "group": group,
        "tags": list(dict.fromkeys(tag[:_LONGEST_TAG] for tag in tags if tag)),
        "save_dir": save_dir,
        "job_type": job_type,
        "settings": patience,
    }
    reason = _why_offline()
    if reason is None:
        made = WandbLogger(**settings)
        try:
            made.experiment  # noqa: B018  # begins the run
            return _prepared(made, checkpoint)
        except wandb.errors.Error as error:
            reason = f"W&B refused the run ({str(error).splitlines()[0]})"
    if reason:
        log.warning("%s: this run stays on this machine; `wandb sync FOLDER` sends it later.", reason)
    offline = WandbLogger(mode="offline", **settings)
    log.info("W&B, offline. To send it: wandb sync %s", Path(offline.experiment.dir).parent)
    return _prepared(offline, checkpoint)


def _prepared(logger: WandbLogger, checkpoint: bool) -> WandbLogger:
    """Curves stay out of the run's summary, which is for what the test found."""
    # By their full names: Lightning has defined "*" already, and W&B takes the first pattern that fits.
    curves = ["train/loss_step", "train/loss_epoch", "val/loss", *detector_metrics("val/")]
    for name in (*curves, "epoch", "trainer/global_step"):
        logger.experiment.define_metric(name, summary="none")
    logger.checkpoint = checkpoint  # type: ignore[attr-defined]  # read where results are logged
    return logger


def _why_offline() -> str | None:
    """Why a run cannot be online; None: it can; "": it is not wished."""
    import wandb

    mode = os.environ.get("WANDB_MODE", "")
    if mode in ("offline", "dryrun"):
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


def track_results(logger: Logger, metrics: Mapping[str, Any], logged: Collection[str] = ()) -> None:
    """Log a run's figures, as `test/both/fnr` and so on; see `figures_of`.

    Args:
        logger: of the job.
        metrics: of the run.
        logged: figures that the test itself has logged.
    """
    logger.log_metrics({name: value for name, value in figures_of(metrics).items() if name not in logged})


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
    from sr_deepfake.tracking.wandb import log_report

    log_report(logger.experiment, report, out)


def figures_of(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Select the figures of a logger's summary: rates of each setup, changes, similarity, correlation, number of faces.

    Seeds, tests and the bounds of intervals are in `metrics.json`.

    Example:
        >>> figures_of({"clean": {"fnr": 0.25}, "both": None, "faces": {"faces": 8}})
        {'test/clean/fnr': 0.25, 'test/faces': 8.0}
    """
    found = {
        f"{setup}/{name}": value for setup in SETUPS for name, value in (metrics.get(setup) or {}).items()
    }
    found["faces"] = metrics["faces"]["faces"]
    if metrics.get("both") is not None:
        found["attack_success"] = metrics["attack_success"]
        found |= {f"threshold/both/{rate}": metrics["threshold"]["both"][rate] for rate in ("fnr", "fpr")}
        changes = [("both", "fnr"), ("both", "fpr"), ("both", "auc"), ("fake", "auc")]
        found |= {f"changes/{setup}/{rate}": metrics["changes"][setup][rate] for setup, rate in changes}
        for kind in ("pristine", "fake"):
            found |= {
                f"similarity/{kind}/{name}": metrics["similarity"][kind][name] for name in ("ssim", "psnr")
            }
        for measure in ("ssim", "psnr"):
            found[f"correlation/{measure}"] = metrics["correlation"]["pooled"][measure]["score"]["pearson"]
    return {
        f"test/{name}": float(value) for name, value in found.items() if value is not None and value == value
    }


def _require(module: str, package: str, choice: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UserError(
            f"logger={choice} needs the package {package}, which is not installed: pip install {package}"
        )
