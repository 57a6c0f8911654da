"""What a run of W&B shows of a cell: curves, tables, pictures and files beside the figures."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import wandb
from torchmetrics.functional.classification import binary_roc

from sr_deepfake.metrics.predictions import is_attacked
from sr_deepfake.metrics.setups import SETUPS, setup_scores
from sr_deepfake.reporting.examples import Example

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
        predictions: of the cell. Its scores go into the table `test/scores`, its ROC curves into `test/roc`.
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
        predictions: of a cell.
        points: the most rows of a setup.

    Example:
        >>> table = pd.DataFrame({"label": [0, 1], "score": [0.1, 0.9], "score_attacked": [np.nan] * 2})
        >>> roc_curves(table)[["fpr", "tpr"]].to_numpy().tolist()
        [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    labels = torch.tensor(predictions["label"].to_numpy())
    parts = []
    for setup in SETUPS:
        if setup != "clean" and not is_attacked(predictions):
            continue
        scores = torch.tensor(np.asarray(setup_scores(predictions, setup), dtype=np.float64))
        fpr, tpr, _ = binary_roc(scores, labels)
        kept = np.unique(np.linspace(0, len(fpr) - 1, min(points, len(fpr))).round().astype(int))
        parts.append(pd.DataFrame({"setup": setup, "fpr": fpr.numpy()[kept], "tpr": tpr.numpy()[kept]}))
    return pd.concat(parts, ignore_index=True)


def artifact_name(text: str) -> str:
    """A name that W&B takes: letters, digits, dashes, underscores and dots, at most 128 of them.

    Example:
        >>> artifact_name("swin-a b=c-predictions")
        'swin-a_b_c-predictions'
    """
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)[-128:]
