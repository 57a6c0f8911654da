"""Tables of predictions whose figures are known, or random ones."""

import numpy as np
import pandas as pd
from scipy.special import logit

from sr_deepfake.metrics.predictions import COLUMNS, SIMILARITY


def completed(table: pd.DataFrame, **columns: object) -> pd.DataFrame:
    """A table of predictions with every column that it lacks: clusters are videos, logits those of the scores."""
    count = len(table)
    defaults = {
        "face_id": [f"{index:04d}" for index in range(count)],
        "video_id": [f"{index // 4:03d}" for index in range(count)],
        "label": 1,
        "side": 192,
        "source": "",
        **dict.fromkeys(("score_attacked", *SIMILARITY), np.nan),
    }
    full = table.assign(**{name: value for name, value in defaults.items() if name not in table}).assign(**columns)
    if "method" not in full:
        full["method"] = np.where(full["label"] == 1, "FaceSwap", "pristine")
    for name in ("cluster", "target"):
        if name not in full:
            full[name] = full["video_id"]
    with np.errstate(divide="ignore"):
        for name in ("logit", "logit_attacked"):
            if name not in full:
                full[name] = logit(full[name.replace("logit", "score")].astype(float))
    return full[list(COLUMNS)]


def predictions(fnr=(0.0, 0.5), fpr=(0.0, 0.25), count=40, sides=(192,), ssim=0.95, psnr=35.0) -> pd.DataFrame:
    """Count fakes and count pristine faces, of which the given shares (clean, attacked) are classified wrongly."""
    labels = np.repeat([1, 0], count)

    def scores(missed: float, accused: float) -> np.ndarray:
        fakes = np.where(np.arange(count) < round(missed * count), 0.2, 0.8)
        pristine = np.where(np.arange(count) < round(accused * count), 0.7, 0.3)
        return np.concatenate([fakes, pristine])

    return completed(
        pd.DataFrame({"label": labels}),
        side=np.resize(sides, 2 * count),
        score=scores(fnr[0], fpr[0]),
        score_attacked=scores(fnr[1], fpr[1]),
        ssim=np.where(labels == 1, ssim, 0.5),
        psnr=np.where(labels == 1, psnr, 10.0),
        ssim_224=0.98,
        psnr_224=35.5,
        psnr_224_wrapped=36.0,
    )


def unattacked(table: pd.DataFrame) -> pd.DataFrame:
    """The same faces, which were scored clean alone."""
    return table.assign(**dict.fromkeys(("score_attacked", "logit_attacked", *SIMILARITY), np.nan))


def random_predictions(count: int = 150, clusters: int = 24, seed: int = 0) -> pd.DataFrame:
    """Faces of pairs of people: each cluster has pristine and fake videos, and an effect of its own on the scores."""
    random = np.random.default_rng(seed)
    cluster = np.sort(random.integers(0, clusters, count))
    label = random.integers(0, 2, count)
    kinds = np.array(["pristine", "fake"])[label]
    video = [f"{kind}/{own:02}_{random.integers(2)}" for kind, own in zip(kinds, cluster, strict=True)]
    score = np.clip(0.25 * label + random.random(clusters)[cluster] / 3 + random.random(count) / 2, 0.01, 0.99).round(2)
    attacked = np.clip(score - 0.3 * random.random(count) + 0.1, 0.01, 0.99).round(2)
    names = [f"{own:02}" for own in cluster]
    return completed(
        pd.DataFrame({"video_id": video, "cluster": names, "target": names, "label": label}),
        score=score,
        score_attacked=attacked,
        ssim=random.uniform(0.9, 1, count),
        psnr=np.where(random.random(count) < 0.1, np.inf, random.uniform(30, 45, count)),
        ssim_224=random.random(count),
        psnr_224=random.uniform(30, 45, count),
        psnr_224_wrapped=random.uniform(30, 45, count),
    )
