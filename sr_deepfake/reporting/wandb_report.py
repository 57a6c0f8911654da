"""What W&B shows of a report: one run for the whole grid."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import wandb

from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.report_grid import ReportGrid
from sr_deepfake.reporting.wandb_results import artifact_name
from sr_deepfake.reporting.writing import FIGURES

if TYPE_CHECKING:
    from wandb.sdk.wandb_run import Run

RATES = ("fnr", "fpr", "auc")
SETUPS = ("both", "fake")


def log_report(run: "Run", report: Report, folder: Path) -> None:
    """Log the tables, figures and the grid of a report, and its files as an artifact.

    Args:
        run: of W&B.
        report: what was made. `grid` is a table of one row a place; each change from clean to attacked is a figure of
            its own, too: `grid/<model>/<forgery>/both/fnr`.
        folder: that it was written to.
    """
    for table in report.tables:
        rows = pd.DataFrame(table.rows, columns=list(table.columns), dtype=object).fillna("")
        run.log({f"tables/{table.name}": wandb.Table(dataframe=rows)})
    for figure in report.figures:
        picture = folder / FIGURES / f"{figure.name}.png"
        run.log({f"figures/{figure.name}": wandb.Image(str(picture), caption=figure.caption)})
    columns = [
        "model",
        "forgery",
        "data",
        "attack",
        *[f"{setup}/{rate}" for setup in SETUPS for rate in RATES],
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
    """Attacked − clean, as fractions, of each place of the grid that was attacked.

    Args:
        grid: of the report.

    Returns:
        `{(model, forgery): {"both/fnr": 0.02, …}}`; what is undefined is left out.
    """
    return {
        (place.model, place.forgery): {
            f"{setup}/{rate}": change
            for setup in SETUPS
            for rate in RATES
            if (change := cell.metrics["changes"][setup][rate]) is not None
        }
        for place, cell in grid.attacked
    }
