"""A threshold that the clean validation faces of a detector's own forgery method choose, and that the attack meets."""

import numpy as np
import pandas as pd

from sr_deepfake.metrics.figures import Threshold


def choose_threshold(validation: pd.DataFrame | None, fpr: float | None = None) -> Threshold:
    """The threshold that a detector's clean validation scores suggest: of an FPR, or where FPR and FNR are equal."""
    rule = "equal error" if fpr is None else f"FPR {fpr:g}"
    if validation is None or validation["label"].nunique() < 2:
        return Threshold(value=None, rule=rule, faces=0)
    label, score = validation["label"].to_numpy(), validation["score"].to_numpy(dtype=np.float64)
    scores = np.unique(score)
    lower, upper = scores, np.append(scores[1:], 1.0)
    middle = (lower + upper) / 2
    # Between neighbouring numbers there is none: the lower one has the same decisions.
    candidates = np.append(scores[0] / 2, np.where(middle < upper, middle, lower))
    fakes, pristine = np.sort(score[label == 1]), np.sort(score[label == 0])
    fnr = np.searchsorted(fakes, candidates, side="right") / len(fakes)
    fp = 1 - np.searchsorted(pristine, candidates, side="right") / len(pristine)
    chosen = candidates[fp <= fpr + 1e-12].min() if fpr is not None else candidates[np.abs(fnr - fp).argmin()]
    return Threshold(value=float(chosen), rule=rule, faces=len(label))
