"""W&B's pictures, tables and files of a run and of a report."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import wandb

from sr_deepfake.metrics.functional import roc_curve
from sr_deepfake.metrics.predictions import is_attacked
from sr_deepfake.metrics.setups import SETUPS, setup_scores
from sr_deepfake.reporting.examples import Example, example_sheet
from sr_deepfake.reporting.grid import ReportGrid
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.tables import change_of
from sr_deepfake.reporting.writing import FIGURES, example_sheets

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

POINTS = 200  # of a curve, at most
_SCORES = ("face_id", "video_id", "method", "label", "side", "score", "score_attacked", "ssim", "psnr")


def log_results(
    run: "Run", predictions: pd.DataFrame, examples: Sequence[Example] = (), files: Mapping[str, Path] = {}
) -> None:
    """Log what is no single figure.

    Args:
        run: of W&B.
        predictions: of the result. Its scores go into the table `test/scores`, its ROC curves into `test/roc`.
        examples: of faces that the attack turned; pictures `test/examples/missed`, `test/examples/false_alarm`.
        files: kept as artifacts, `{type: file or folder}`, such as `{"predictions": folder}`.
    """
    curves = roc_curves(predictions)
    run.log(
        {
            "test/roc": wandb.plot.line(
                wandb.Table(dataframe=curves), "fpr", "tpr", stroke="setup", title="ROC over the test faces"
            ),
            "test/scores": wandb.Table(
                dataframe=predictions[[name for name in _SCORES if name in predictions]]
            ),
        }
    )
    for kind in dict.fromkeys(example.kind for example in examples):
        pictures = [
            wandb.Image(
                np.concatenate([example.clean, example.attacked, example.difference], axis=1),
                caption=f"{example.face_id}: clean {example.score:.2f}, attacked {example.score_attacked:.2f}",
            )
            for example in examples
            if example.kind == kind
        ]
        run.log({f"test/examples/{kind.replace(' ', '_')}": pictures})
    for kind, path in files.items():
        artifact = wandb.Artifact(artifact_name(f"{path.stem if path.is_file() else path.name}-{kind}"), kind)
        if path.is_dir():
            artifact.add_dir(str(path))
        else:
            artifact.add_file(str(path))
        run.log_artifact(artifact)


def roc_curves(predictions: pd.DataFrame, points: int = POINTS) -> pd.DataFrame:
    """ROC curves of all setups as rows of `setup, fpr, tpr`.

    Args:
        predictions: of a result.
        points: the most rows of a setup.

    Example:
        >>> table = pd.DataFrame({"label": [0, 1], "score": [0.1, 0.9], "score_attacked": [np.nan] * 2})
        >>> roc_curves(table)[["fpr", "tpr"]].to_numpy().tolist()
        [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    parts = []
    for setup in SETUPS if is_attacked(predictions) else SETUPS[:1]:
        fpr, tpr = roc_curve(setup_scores(predictions, setup), predictions["label"])
        kept = np.unique(np.linspace(0, len(fpr) - 1, min(points, len(fpr))).round().astype(int))
        parts.append(pd.DataFrame({"setup": setup, "fpr": fpr[kept], "tpr": tpr[kept]}))
    return pd.concat(parts, ignore_index=True)


def artifact_name(text: str) -> str:
    """A name that W&B takes: letters, digits, dashes, underscores and dots, at most 128 of them.

    Example:
        >>> artifact_name("swin-a b=c-predictions")
        'swin-a_b_c-predictions'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[-128:]


RATES = ("fnr", "fpr", "auc")


def log_report(run: "Run", report: Report, folder: Path) -> None:
    """Log the tables, figures and the grid of a report, and its files as an artifact.

    Args:
        run: of W&B.
        report: what was made. `grid` is a table of one row a entry; each change from clean to attacked is a figure of
            its own, too: `grid/<model>/<forgery>/both/fnr`.
        folder: that it was written to.
    """
    for table in report.tables:
        rows = pd.DataFrame(table.rows, columns=list(table.columns), dtype=object).fillna("")
        run.log({f"tables/{table.name}": wandb.Table(dataframe=rows)})
    for figure in report.figures:
        picture = folder / FIGURES / f"{figure.name}.png"
        run.log({f"figures/{figure.name}": wandb.Image(str(picture), caption=figure.caption)})
    for sheet, examples in example_sheets(report):
        run.log({f"examples/{sheet}": wandb.Image(example_sheet(examples, report.illustration))})
    columns = [
        "model",
        "forgery",
        "data",
        "attack",
        *[f"{setup}/{rate}" for setup in SETUPS[1:] for rate in RATES],
    ]
    changes = grid_changes(report.grid)
    grid = pd.DataFrame(
        [
            {"model": model, "forgery": forgery, "data": report.grid.data, "attack": report.grid.attack} | row
            for (model, forgery), row in changes.items()
        ],
        columns=columns,
    )
    run.log({"grid": wandb.Table(dataframe=grid)})
    run.summary.update(
        {
            f"grid/{model}/{forgery}/{name}": value
            for (model, forgery), row in changes.items()
            for name, value in row.items()
        }
    )
    run.summary["illustration"] = report.illustration or ""
    artifact = wandb.Artifact(artifact_name(f"report-{report.grid.data}"), "report")
    artifact.add_dir(str(folder))
    run.log_artifact(artifact)


def grid_changes(grid: ReportGrid) -> dict[tuple[str, str], dict[str, float]]:
    """Attacked − clean, as fractions, of each entry of the grid that was attacked.

    Args:
        grid: of the report.

    Returns:
        `{(model, forgery): {"both/fnr": 0.02, …}}`; what is undefined is left out.
    """
    return {
        (entry.model, entry.forgery): {
            f"{setup}/{rate}": change
            for setup in SETUPS[1:]
            for rate in RATES
            if (change := change_of(result, setup, rate)) is not None
        }
        for entry, result in grid.attacked
    }
