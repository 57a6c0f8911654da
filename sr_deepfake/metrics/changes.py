"""What the attack did to decisions: how many it turned, and the tests of the changes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sr_deepfake.metrics.classification import THRESHOLD, Index
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.figures import Turned
from sr_deepfake.metrics.predictions import Videos, setup_scores, videos_of
from sr_deepfake.metrics.significance import auc_test, sign_flip_test

RATES = {"fnr": 1, "fpr": 0}  # the class whose wrong decisions the rate counts


def change_tests(
    tables: Sequence[pd.DataFrame], clusters: Clusters
) -> tuple[dict[str, Turned], dict[tuple[str, str], float]]:
    """Count the decisions that the attack turned, and test the changes."""
    table = tables[0]
    label, videos = table["label"].to_numpy(), videos_of(table)
    groups = [clusters.groups(way) for way in clusters.levels]
    face = np.zeros(len(videos.labels), dtype=np.intp)
    face[videos.units] = np.arange(len(table))  # one of each video
    turned: dict[str, Turned] = {}
    p_values: dict[tuple[str, str], float] = {}
    for rate, value in RATES.items():
        worsened, improved = _turned(tables, value)
        turned[rate] = Turned(worsened=int(worsened.sum()), improved=int(improved.sum()))
        p_values["both", rate] = max(
            sign_flip_test(worsened, improved, np.where(label == value, own, -1)) for own in groups
        )
        of_videos = _turned(tables, value, videos)
        p_values["video/both", rate] = max(
            sign_flip_test(*of_videos, np.where(videos.labels == value, own[face], -1)) for own in groups
        )
    p_values["fake", "fnr"] = p_values["both", "fnr"]
    for setup in ("both", "fake"):
        logits = [
            np.stack([setup_scores(each, name, "logit").to_numpy() for each in tables]) for name in ("clean", setup)
        ]
        p_values[setup, "auc"] = max(auc_test(logits[0], logits[1], label, own) for own in groups)
    return turned, p_values


def _turned(tables: Sequence[pd.DataFrame], value: int, videos: Videos | None = None) -> tuple[Index, Index]:
    """For each face (or video) how many decisions of a class turned wrong, and how many right, over all tables."""
    label = tables[0]["label"].to_numpy() if videos is None else videos.labels
    worsened, improved = np.zeros((2, len(label)), dtype=np.intp)
    for table in tables:
        scores = [table[name].to_numpy() for name in ("score", "score_attacked")]
        if videos is not None:
            scores = [videos.means(each) for each in scores]
        clean, attacked = ((each > THRESHOLD) == (value == 1) for each in scores)
        worsened += (label == value) & clean & ~attacked
        improved += (label == value) & ~clean & attacked
    return worsened, improved
