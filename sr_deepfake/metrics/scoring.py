"""Faces → predictions: each face is scored clean and attacked, in one pass."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sr_deepfake.metrics.predictions import COLUMNS, FROM_MANIFEST, checked
from sr_deepfake.metrics.similarity import psnr, psnr_wrapped, ssim


class Batch(Protocol):
    """Faces of one side and their rows of the manifest."""

    @property
    def faces(self) -> Tensor:
        """float32 tensor of shape B×3×S×S, RGB in [0, 1]."""

    @property
    def rows(self) -> pd.DataFrame:
        """B rows with `face_id`, `video_id`, `method`, `label` and `side`, in the same order."""


def score_faces(
    detector: Callable[[Tensor], Tensor],
    attack: Callable[[Tensor], Tensor] | None,
    batches: Iterable[Batch],
    device: torch.device | str = "cpu",
    progress: Callable[[int], object] | None = None,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> pd.DataFrame:
    """Score each face clean and attacked, and measure how alike both versions are.

    Args:
        detector: B×3×S×S faces in [0, 1] → B logits of fake; on `device`, in evaluation mode.
        attack: faces → attacked faces of the same shape, on `device`; None scores clean faces only and leaves
            `score_attacked`, `ssim`, `psnr` and `psnr_wrapped` NaN.
        batches: the faces, one side a batch.
        device: where detector and attack are.
        progress: called after each batch with its number of faces.
        autocast: makes the context that the detector runs in, for its precision; the attack has its own.

    Returns:
        The table of predictions (see `checked`), one row a face, in the order of the batches.

    Raises:
        ValueError: the detector is in training mode or returns something else than B numbers, or a batch has
            not as many rows as faces.

    Example:
        >>> from types import SimpleNamespace
        >>> rows = pd.DataFrame(
        ...     {"face_id": ["pristine/000/0000"], "video_id": ["pristine/000"], "method": ["pristine"]}
        ... ).assign(label=0, side=24)
        >>> batch = SimpleNamespace(faces=torch.full((1, 3, 24, 24), 0.5), rows=rows)
        >>> table = score_faces(lambda faces: faces.mean((1, 2, 3)) * 0, lambda faces: faces, [batch])
        >>> table[["score", "score_attacked", "ssim", "psnr"]].values.tolist()
        [[0.5, 0.5, 1.0, inf]]
    """
    if isinstance(detector, nn.Module) and detector.training:
        raise ValueError("the detector is in training mode; call its eval() before scoring with it")
    tables = []
    with torch.inference_mode():
        for batch in batches:
            if len(batch.rows) != len(batch.faces):
                raise ValueError(f"a batch has {len(batch.faces)} faces and {len(batch.rows)} rows")
            faces = batch.faces.to(device, non_blocking=True)
            table = batch.rows[list(FROM_MANIFEST)].reset_index(drop=True)
            table["score"] = _scores(detector, faces, autocast, table["face_id"])
            if attack is None:
                table[["score_attacked", "ssim", "psnr", "psnr_wrapped"]] = np.nan
            else:
                attacked = attack(faces)
                table["score_attacked"] = _scores(detector, attacked, autocast, table["face_id"])
                for measure in (ssim, psnr, psnr_wrapped):
                    table[measure.__name__] = measure(faces, attacked).cpu().numpy()
            tables.append(table)
            if progress is not None:
                progress(len(table))
    return checked(pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS)))


def _scores(
    detector: Callable[[Tensor], Tensor],
    faces: Tensor,
    autocast: Callable[[], AbstractContextManager[Any]],
    names: "pd.Series[Any]",
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    with autocast():
        logits = detector(faces)
    if logits.shape != (len(faces),):
        raise ValueError(
            f"the detector returned {tuple(logits.shape)} for {len(faces)} faces, not one logit a face"
        )
    # In float64 and on the CPU: the sigmoid of a confident logit is 1 in float32, and ties change the AUC.
    scores = torch.sigmoid(logits.cpu().double())
    if scores.isnan().any():
        raise ValueError(
            f"the detector returned NaN, first for the face {names[int(scores.isnan().nonzero()[0])]}"
        )
    values: np.ndarray[Any, np.dtype[np.float64]] = scores.numpy()
    return values
