"""Speed of the statistics of a cell: intervals by bootstrap over videos, tests, correlations.

    python benchmarks/bootstrap.py            2,000 resamples of 2,800 faces of 280 videos, as in the paper's test sets

The reference is the plain loop: for every resample the drawn faces are put together, and scikit-learn computes the
metrics of clean, both and fake. It has no EER, no figures of videos and no differences, which the project's time
includes. It runs a few resamples, from which the time of all follows.

    1. every metric of every setup, in every resample: seconds, and the ratio to the loop
    2. all of `run_metrics`, which is what an evaluation spends on statistics: seconds
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn import metrics as sk

from sr_deepfake.metrics.predictions import videos_of
from sr_deepfake.metrics.resampling import RESAMPLES, SEED, draw_videos, run_intervals
from sr_deepfake.metrics.setups import SETUPS, run_metrics, setup_scores


def predictions(faces: int, frames: int) -> pd.DataFrame:
    """Made-up predictions: half pristine, half fake, scores that videos share in part."""
    random = np.random.default_rng(0)
    unit = np.arange(faces) // frames
    label = (np.arange(faces) >= faces // 2).astype(int)
    shared = random.normal(0.35 + 0.3 * label, 0.1) + random.normal(0, 0.15, unit[-1] + 1)[unit]
    return pd.DataFrame(
        {
            "face_id": [f"face{number}" for number in range(faces)],
            "video_id": [f"video{number}" for number in unit],
            "method": np.where(label == 1, "FaceSwap", "pristine"),
            "label": label,
            "side": 224,
            "score": np.clip(shared, 0, 1),
            "score_attacked": np.clip(shared + random.normal(-0.03, 0.1, faces), 0, 1),
            "ssim": random.uniform(0.95, 1, faces),
            "psnr": random.uniform(35, 45, faces),
            "ssim_224": random.random(faces),
            "psnr_224": random.uniform(30, 45, faces),
            "psnr_224_wrapped": random.uniform(30, 45, faces),
        }
    )


def loop(table: pd.DataFrame, resamples: int) -> None:
    """The reference."""
    videos = videos_of(table)
    members = [np.flatnonzero(videos.units == unit) for unit in range(len(videos.labels))]
    labels = table["label"].to_numpy()
    scores = [setup_scores(table, setup).to_numpy() for setup in SETUPS]
    for drawn in draw_videos(videos.labels, resamples, SEED, at_once=1):
        times = drawn[0].astype(int)
        rows = np.concatenate([np.tile(members[unit], times[unit]) for unit in np.flatnonzero(times)])
        for score in scores:
            label, chosen = labels[rows], score[rows]
            guesses = chosen > 0.5
            sk.recall_score(label, guesses)
            sk.recall_score(label, guesses, pos_label=0)
            sk.precision_score(label, guesses, zero_division=0)
            sk.accuracy_score(label, guesses)
            sk.roc_auc_score(label, chosen)
            sk.average_precision_score(label, chosen)


def seconds(run: Callable[[], object], rounds: int) -> float:
    """Median time of a call, after one to warm up."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faces", type=int, default=2800)
    parser.add_argument("--frames", type=int, default=10, help="faces of a video")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--loops", type=int, default=10, help="resamples that the reference runs")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    table = predictions(arguments.faces, arguments.frames)
    setups = {setup: setup_scores(table, setup).to_numpy() for setup in SETUPS}
    ours = seconds(lambda: run_intervals(table, setups, arguments.resamples, SEED), arguments.rounds)
    one = seconds(lambda: loop(table, arguments.loops), 1) / arguments.loops
    whole = seconds(lambda: run_metrics(table, arguments.resamples), arguments.rounds)
    print(
        f"{arguments.resamples} resamples of {len(table)} faces of {table['video_id'].nunique()} videos, "
        f"median of {arguments.rounds} rounds"
    )
    print(
        f"  loop with scikit-learn          {one * arguments.resamples:8.2f} s, from {arguments.loops} resamples"
    )
    print(f"  this project, all intervals     {ours:8.2f} s")
    print(f"  ratio                           {one * arguments.resamples / ours:8.0f}")
    print(f"  run_metrics as a whole         {whole:8.2f} s")


if __name__ == "__main__":
    main()
