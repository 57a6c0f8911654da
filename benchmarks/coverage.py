"""How often a 95 % interval holds the truth, where faces of a pair of people, and of a video, share an effect.

    python benchmarks/coverage.py             300 test sets of 70 pairs, as FaceForensics++ has: 4 videos, 3 faces each

Each test set is drawn from a population whose figures are known (the mean of many test sets). Resampling videos, or faces,
is shown for comparison. `--crossed` draws fakes of targets and sources that are crossed, as in Celeb-DF.
"""

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from intervals import predictions
from scipy.special import expit

from sr_deepfake.metrics.classification import classification_metrics
from sr_deepfake.metrics.predictions import setup_scores
from sr_deepfake.metrics.setups import run_metrics

FIGURES = (("clean", "fnr"), ("clean", "fpr"), ("clean", "auc"), ("both", "fnr"), ("both", "auc"))
LEVEL = 0.95


def effects(random: np.random.Generator, names: pd.Series, size: float) -> np.ndarray:
    """An effect for each name, on its faces; none where there is no name."""
    codes, found = pd.factorize(names.where(names != ""))
    return np.where(codes >= 0, random.normal(0, size, len(found) + 1)[codes], 0)


def scored(table: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """The table with new scores."""
    label = table["label"].to_numpy()
    shared = effects(random, table["target"], 0.8) + effects(random, table["source"], 0.8)
    shared += effects(random, table["video_id"], 0.6)
    moved = -0.4 + effects(random, table["target"], 0.4) + random.normal(0, 0.5, len(table))
    logit = 3.0 * label - 1.5 + shared + random.normal(0, 0.8, len(table))
    found = {"logit": logit, "logit_attacked": logit + moved}
    return table.assign(**found, score=expit(logit), score_attacked=expit(logit + moved))


def crossed(people: int) -> pd.DataFrame:
    """Pristine videos of all people, and fakes of half of the pairs of them, in one cluster; three faces a video."""
    random = np.random.default_rng(1)
    fakes = [(a, b) for a in range(people) for b in range(people) if a != b and random.random() < 0.5]
    videos = [(f"pristine/{a}_{n}", 0, f"{a}", "") for a in range(people) for n in range(4)]
    videos += [(f"FaceSwap/{a}_{b}", 1, f"{a}", f"{b}") for a, b in fakes]
    rows = [video for video in videos for _ in range(3)]
    table = pd.DataFrame(rows, columns=["video_id", "label", "target", "source"])
    filled = predictions(len(table), 2).drop(columns=["video_id", "label", "target", "source", "method"])
    return filled.assign(cluster="0", method=table["video_id"].str.split("/").str[0], **table)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=300, help="test sets")
    parser.add_argument("--pairs", type=int, default=70, help="of people; with --crossed, people")
    parser.add_argument("--resamples", type=int, default=300)
    parser.add_argument("--crossed", action="store_true")
    arguments = parser.parse_args()
    table = crossed(arguments.pairs) if arguments.crossed else predictions(12 * arguments.pairs, arguments.pairs)
    ways: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "clusters (this project)": lambda faces: faces,
        "videos": lambda faces: faces.assign(cluster=faces["video_id"], source=""),
        "faces": lambda faces: faces.assign(cluster=faces["face_id"], source=""),
    }
    random = np.random.default_rng(0)
    truth = pd.DataFrame([values_of(scored(table, random)) for _ in range(1000)]).mean()
    held = {way: pd.Series(0.0, index=truth.index) for way in ways}
    for _ in range(arguments.sets):
        faces = scored(table, random)
        for way, clustered in ways.items():
            found = run_metrics(clustered(faces), resamples=arguments.resamples).figures
            for setup, name in FIGURES:
                figure = found[setup][name]
                if figure.interval is not None:
                    held[way][f"{setup} {name}"] += figure.interval[0] <= truth[f"{setup} {name}"] <= figure.interval[1]
    print(f"{arguments.sets} test sets of {len(table)} faces; share of 95 % intervals that hold the truth, in %")
    shown = pd.DataFrame({way: 100 * count / arguments.sets for way, count in held.items()})
    print(shown.assign(truth=truth.round(3)).round(1).to_string())


def values_of(faces: pd.DataFrame) -> dict[str, float]:
    """The figures of a test set, without intervals."""
    found = {
        setup: classification_metrics(setup_scores(faces, setup), faces["label"], setup_scores(faces, setup, "logit"))
        for setup in ("clean", "both")
    }
    return {f"{setup} {name}": found[setup][name] for setup, name in FIGURES}


if __name__ == "__main__":
    main()
