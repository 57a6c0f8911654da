"""W&B's pictures, tables and files of a run and of a report."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import wandb
from PIL import Image

from sr_deepfake.experiment.evidence import EVIDENCE, read_evidence
from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.classification import roc_curve
from sr_deepfake.metrics.predictions import SETUPS, is_attacked, setup_scores
from sr_deepfake.reporting.figures.style import file_name
from sr_deepfake.reporting.numbers import CHANGED
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.writing import EXAMPLES, FIGURES

POINTS = 200  # of a curve, at most
_SCORES = ("face_id", "video_id", "method", "label", "side", "score", "score_attacked", "ssim", "psnr")


def log_results(run: wandb.Run, result: Result, files: Mapping[str, Path] | None = None) -> None:
    """Log what is no single figure: `test/scores`, `test/roc`, pairs of faces whose decision flipped, and files."""
    predictions = result.predictions
    curves = roc_curves(predictions)
    plot = wandb.plot.line(wandb.Table(dataframe=curves), "fpr", "tpr", stroke="setup", title="ROC over the test faces")
    scores = wandb.Table(dataframe=predictions[[name for name in _SCORES if name in predictions]])
    run.log({"test/roc": plot, "test/scores": scores})
    folder = result.folder / EVIDENCE
    pictures: dict[str, list[wandb.Image]] = {}
    for face in read_evidence(result.folder).flipped:
        caption = f"{face.face_id}: clean {face.score:.2f}, attacked {face.score_attacked:.2f}"
        name = f"test/examples/{face.kind.replace(' ', '_')}"
        both = [np.asarray(Image.open(folder / version)) for version in (face.clean, face.attacked)]
        pictures.setdefault(name, []).append(wandb.Image(np.concatenate(both, axis=1), caption=caption))
    for name, images in pictures.items():
        run.log({name: images})
    for kind, path in {"predictions": result.folder, **(files or {})}.items():
        artifact = wandb.Artifact(artifact_name(f"{path.stem if path.is_file() else path.name}-{kind}"), kind)
        add = artifact.add_dir if path.is_dir() else artifact.add_file
        add(str(path))
        run.log_artifact(artifact)


def roc_curves(predictions: pd.DataFrame, points: int = POINTS) -> pd.DataFrame:
    """ROC curves of all setups as rows of `setup, fpr, tpr`."""
    parts = []
    for setup in SETUPS if is_attacked(predictions) else SETUPS[:1]:
        scores, logits = (setup_scores(predictions, setup, column) for column in ("score", "logit"))
        fpr, tpr = roc_curve(scores, predictions["label"], logits)
        kept = np.unique(np.linspace(0, len(fpr) - 1, min(points, len(fpr))).round().astype(int))
        parts.append(pd.DataFrame({"setup": setup, "fpr": fpr[kept], "tpr": tpr[kept]}))
    return pd.concat(parts, ignore_index=True)


def artifact_name(text: str) -> str:
    """A name that W&B takes: letters, digits, dashes, underscores and dots, at most 128 of them."""
    return file_name(text)[-128:]


def log_report(run: wandb.Run, report: Report, folder: Path) -> None:
    """Log the tables, figures, examples and the grid of a report, and its files as an artifact."""
    for table in report.tables:
        run.log({f"tables/{table.name}": wandb.Table(dataframe=pd.DataFrame(table.rows, columns=list(table.columns)))})
    for figure in report.figures:
        picture = folder / FIGURES / f"{figure.name}.png"
        run.log({f"figures/{figure.name}": wandb.Image(str(picture), caption=figure.caption)})
    for sheet in sorted((folder / EXAMPLES).glob("*.png")):
        run.log({f"examples/{sheet.stem}": wandb.Image(str(sheet))})
    frame = report.grid.frame
    run.log({"grid": wandb.Table(dataframe=frame)})
    changed = frame[frame["setup"].isin(SETUPS[1:]) & frame["metric"].isin(CHANGED) & frame["change"].notna()]
    run.summary.update(
        {
            f"grid/{row['model']}/{row['method']}/{row['setup']}/{row['metric']}": float(row["change"])
            for row in changed.to_dict("records")
        }
    )
    run.summary["illustration"] = report.grid.illustration
    artifact = wandb.Artifact(artifact_name(f"report-{report.grid.data}"), "report")
    artifact.add_dir(str(folder))
    run.log_artifact(artifact)
