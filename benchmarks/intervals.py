"""Speed of a run's statistics: every figure in every resample, against a loop with scikit-learn.

    python benchmarks/intervals.py            2,000 resamples of 2,800 faces of 70 pairs, as in the paper's test sets

For every resample the loop puts the drawn faces together, and scikit-learn computes six figures of clean, both and fake.
It runs a few resamples, from which the time of all follows. `run_metrics` computes all figures.
"""

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn import metrics as sk

from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.predictions import SETUPS, setup_scores
from sr_deepfake.metrics.setups import RESAMPLES, SEED, run_metrics


def predictions(faces: int, pairs: int) -> pd.DataFrame:
    """Half pristine and half fake faces, four videos a pair; the scores of a pair share a part."""
    random = np.random.default_rng(0)
    pair, label = np.arange(faces) * pairs // faces, np.arange(faces) % 2
    logit = 3.0 * label - 1.5 + random.normal(0, 1, pairs)[pair] + random.normal(0, 1, faces)
    attacked = logit + random.normal(-0.3, 0.8, faces)
    similarity = ("ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped")
    return pd.DataFrame(
        {
            "face_id": np.arange(faces).astype(str), "video_id": [f"{p}/{n % 4}" for n, p in enumerate(pair)],
            "method": np.where(label == 1, "FaceSwap", "pristine"), "label": label, "side": 224,
            "cluster": pair.astype(str), "target": pair.astype(str), "source": "",
            "score": expit(logit), "score_attacked": expit(attacked), "logit": logit, "logit_attacked": attacked,
            **{name: random.uniform(0.9, 1, faces) for name in similarity},
        }
    )  # fmt: skip


def loop(table: pd.DataFrame, resamples: int) -> None:
    """The reference."""
    clusters, labels = Clusters.of(table), table["label"].to_numpy()
    scores = [setup_scores(table, setup).to_numpy() for setup in SETUPS]
    for weights in clusters.draw(resamples, SEED, at_once=1):
        rows = np.repeat(np.arange(len(table)), weights[0].astype(int)[clusters.units])
        for score in scores:
            label, chosen = labels[rows], score[rows]
            guesses = chosen > 0.5
            sk.recall_score(label, guesses)
            sk.recall_score(label, guesses, pos_label=0)
            sk.precision_score(label, guesses, zero_division=0)
            sk.accuracy_score(label, guesses)
            sk.roc_auc_score(label, chosen)
            sk.average_precision_score(label, chosen)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=2800)
    parser.add_argument("--pairs", type=int, default=70)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--loops", type=int, default=10, help="resamples that the reference runs")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    table = predictions(arguments.faces, arguments.pairs)
    run_metrics(table, resamples=10)
    times = []
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        run_metrics(table, resamples=arguments.resamples)
        times.append(time.perf_counter() - start)
    ours = statistics.median(times)
    start = time.perf_counter()
    loop(table, arguments.loops)
    theirs = (time.perf_counter() - start) / arguments.loops * arguments.resamples
    print(f"{arguments.resamples} resamples of {len(table)} faces, median of {arguments.rounds} rounds")
    print(f"  loop with scikit-learn  {theirs:8.2f} s, from {arguments.loops} resamples")
    print(f"  run_metrics             {ours:8.2f} s")
    print(f"  ratio                   {theirs / ours:8.1f}")


if __name__ == "__main__":
    main()
