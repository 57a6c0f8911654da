import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.setups import run_metrics, setup_scores


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    count = 60
    label = random.integers(0, 2, count)
    return pd.DataFrame(
        {
            "face_id": [f"face{index}" for index in range(count)],
            "video_id": [f"video{index // 10}" for index in range(count)],
            "method": np.where(label == 1, "FaceSwap", "pristine"),
            "label": label,
            "side": 168,
            "score": random.random(count),
            "score_attacked": random.random(count),
            "ssim": random.random(count),
            "psnr": random.uniform(30, 45, count),
            "ssim_224": random.random(count),
            "psnr_224": random.uniform(30, 45, count),
            "psnr_224_wrapped": random.uniform(30, 45, count),
        }
    )


def test_each_setup_is_a_plain_loop_over_the_faces(table):
    metrics = run_metrics(table)
    for setup in ("clean", "both", "fake"):
        scores, fakes, missed, accused = [], 0, 0, 0
        for row in table.itertuples():
            attacked = setup == "both" or (setup == "fake" and row.label == 1)
            score = row.score_attacked if attacked else row.score
            scores.append(score)
            fakes += row.label
            missed += row.label == 1 and score <= 0.5
            accused += row.label == 0 and score > 0.5
        found, pristine = fakes - missed, len(table) - fakes
        assert setup_scores(table, setup).tolist() == scores
        assert metrics[setup] == pytest.approx(
            {
                "fnr": missed / fakes,
                "fpr": accused / pristine,
                "recall": found / fakes,
                "precision": found / (found + accused),
                "auc": roc_auc_score(table["label"], scores),
                "accuracy": (found + pristine - accused) / len(table),
                "eer": classification_metrics(scores, table["label"])["eer"],
                "ap": average_precision_score(table["label"], scores),
            },
            abs=1e-12,
        )


def test_attacking_fakes_only_leaves_the_fpr_as_it_was(table):
    metrics = run_metrics(table)
    assert metrics["fake"]["fpr"] == metrics["clean"]["fpr"]
    assert metrics["fake"]["fnr"] == metrics["both"]["fnr"]


def test_similarity_is_the_mean_of_each_class_and_counts_identical_faces(table):
    fakes = table.index[table["label"] == 1]
    table.loc[fakes[:3], "psnr"] = np.inf
    similarity = run_metrics(table)["similarity"]
    assert similarity["fake"] == {
        "ssim": pytest.approx(table.loc[fakes, "ssim"].mean()),
        "psnr": pytest.approx(table.loc[fakes[3:], "psnr"].mean()),
        **{
            name: pytest.approx(table.loc[fakes, name].mean())
            for name in ("ssim_224", "psnr_224", "psnr_224_wrapped")
        },
        "identical": 3,
    }
    assert similarity["pristine"]["identical"] == 0


def test_counts(table):
    fakes = int(table["label"].sum())
    assert run_metrics(table)["faces"] == {"faces": 60, "pristine": 60 - fakes, "fake": fakes, "videos": 6}


def test_faces_that_were_not_attacked_have_a_clean_row_only(table):
    table[["score_attacked", "ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped"]] = np.nan
    metrics = run_metrics(table)
    assert metrics["clean"]["auc"] == pytest.approx(roc_auc_score(table["label"], table["score"]))
    for name in ("both", "fake", "changes", "similarity", "mcnemar", "correlation"):
        assert metrics[name] is None
    assert metrics["video"] | {"clean": None} == dict.fromkeys(("clean", "both", "fake", "changes"))
    assert list(metrics["intervals"]) == ["clean", "video"]
    assert list(metrics["intervals"]["video"]) == ["clean"]


def test_changes_are_attacked_less_clean(table):
    metrics = run_metrics(table, resamples=10)
    for part in (metrics, metrics["video"]):
        for setup in ("both", "fake"):
            for name, change in part["changes"][setup].items():
                assert change == part[setup][name] - part["clean"][name]
    assert metrics["changes"]["fake"]["fpr"] == 0


def test_videos_have_the_metrics_of_their_mean_scores(table):
    metrics = run_metrics(table, resamples=10)
    means = table.groupby(["video_id", "label"])[["score", "score_attacked"]].mean().reset_index()
    for setup in ("clean", "both", "fake"):
        assert metrics["video"][setup] == pytest.approx(
            classification_metrics(setup_scores(means, setup), means["label"]), abs=1e-12
        )


def leaves(tree, path=()):
    """Every value of nested dictionaries, lists included."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def test_every_figure_has_an_interval_under_its_own_name(table):
    metrics = run_metrics(table, resamples=200)
    values = dict(leaves(metrics))
    intervals = dict(leaves(metrics["intervals"]))
    assert set(intervals) < set(values)
    for path in set(values) - set(intervals):
        assert (
            path[0] in ("intervals", "faces", "bootstrap", "mcnemar", "calibration", "threshold", "attack_success")
            or path[-1] in ("faces", "infinite", "identical", "pearson_p", "spearman", "spearman_p")
        ), path  # fmt: skip
    for path, (low, high) in intervals.items():
        assert low <= high
        assert low - 0.2 < values[path] < high + 0.2 or path[0] == "similarity"


def test_the_same_seed_gives_the_same_intervals(table):
    first, again, other = (run_metrics(table, resamples=100, seed=seed) for seed in (1, 1, 2))
    assert first["intervals"] == again["intervals"]
    assert first["intervals"] != other["intervals"]
    assert first["bootstrap"] == {"resamples": 100, "level": 0.95, "seed": 1}


def test_one_class_only_is_undefined(table):
    metrics = run_metrics(table[table["label"] == 1])
    assert math.isnan(metrics["clean"]["fpr"])
    assert math.isnan(metrics["similarity"]["pristine"]["psnr"])


def test_no_faces_and_unknown_setups_are_refused(table):
    with pytest.raises(ValueError, match="no scores"):
        run_metrics(table.iloc[:0])
    with pytest.raises(ValueError, match="clean, both, fake"):
        setup_scores(table, "pristine")
