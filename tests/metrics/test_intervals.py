import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.predictions import MEASURED
from sr_deepfake.metrics.resampling import draw_videos, run_intervals
from sr_deepfake.metrics.setups import setup_scores

SETUPS = ("clean", "both", "fake")
RESAMPLES, SEED = 40, 5


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    units = np.sort(random.integers(0, 24, 150))
    label = (units >= 12).astype(int)
    score = np.clip(0.25 * label + random.random(24)[units] / 3 + random.random(150) / 2, 0, 1).round(2)
    return pd.DataFrame(
        {
            "face_id": [f"face{number}" for number in range(150)],
            "video_id": [f"video{unit:02}" for unit in units],
            "method": "FaceSwap",
            "label": label,
            "side": 168,
            "score": score,
            "score_attacked": np.clip(score - 0.2 * random.random(150), 0, 1).round(2),
            "ssim": random.uniform(0.9, 1, 150),
            "psnr": np.where(random.random(150) < 0.1, np.inf, random.uniform(30, 45, 150)),
            "psnr_wrapped": random.uniform(30, 45, 150),
        }
    )


def intervals_of(table, resamples=RESAMPLES):
    scores = {name: setup_scores(table, name).to_numpy() for name in SETUPS}
    return run_intervals(table, scores, resamples, SEED)


def scikit_learn(scores, labels):
    guesses = scores > 0.5
    return {
        "fnr": 1 - sk.recall_score(labels, guesses),
        "fpr": 1 - sk.recall_score(labels, guesses, pos_label=0),
        "recall": sk.recall_score(labels, guesses),
        "precision": sk.precision_score(labels, guesses),
        "auc": sk.roc_auc_score(labels, scores),
        "accuracy": sk.accuracy_score(labels, guesses),
        "eer": classification_metrics(scores, labels)["eer"],
        "ap": sk.average_precision_score(labels, scores),
    }


def figures(faces):
    """Every figure of a table of faces, by the plainest means: name → number."""
    found = {}
    videos = faces.groupby("copy")[["label", "score", "score_attacked"]].mean().reset_index()
    for prefix, rows in (((), faces), (("video",), videos)):
        metrics = {
            name: scikit_learn(setup_scores(rows, name).to_numpy(), rows["label"].astype(int))
            for name in SETUPS
        }
        for name in SETUPS:
            found |= {(*prefix, name, metric): value for metric, value in metrics[name].items()}
        for name in ("both", "fake"):
            for metric, value in metrics[name].items():
                found[(*prefix, "changes", name, metric)] = value - metrics["clean"][metric]
    for name, part in (
        ("pristine", faces[faces["label"] == 0]),
        ("fake", faces[faces["label"] == 1]),
        ("pooled", faces),
    ):
        differs = part[np.isfinite(part["psnr"])]
        if name != "pooled":
            found["similarity", name, "ssim"] = part["ssim"].mean()
            found["similarity", name, "psnr"] = differs["psnr"].mean()
            found["similarity", name, "psnr_wrapped"] = part["psnr_wrapped"].mean()
        for measure, rows in (("ssim", part), ("psnr", differs)):
            moved = rows["score_attacked"] - rows["score"]
            error = (rows["score_attacked"] - rows["label"]).abs() - (rows["score"] - rows["label"]).abs()
            for change, values in (("score", moved), ("absolute_error", error)):
                r = stats.pearsonr(rows[measure], values).statistic
                found["correlation", name, measure, change, "pearson"] = r
    return found


def test_every_interval_is_that_of_a_loop_over_resampled_tables(table):
    names = [
        name for label in (0, 1) for name in sorted(set(table["video_id"][table["label"] == label]))
    ]  # fmt: skip
    labels = [int(table["label"][table["video_id"] == name].iloc[0]) for name in names]
    rows = []
    (draws,) = draw_videos(labels, RESAMPLES, SEED)
    for drawn in draws.astype(int):
        copies = [
            table[table["video_id"] == name].assign(copy=f"{name} {copy}")
            for name, times in zip(names, drawn, strict=True)
            for copy in range(times)
        ]
        rows.append(figures(pd.concat(copies)))
    expected = pd.DataFrame(rows).quantile([0.025, 0.975])
    found = intervals_of(table)
    checked = 0
    for path in expected.columns:
        tree = found
        for name in path:
            if not isinstance(name, str):  # pandas fills short names up
                break
            tree = tree[name]
        np.testing.assert_allclose(tree, expected[path], rtol=0, atol=1e-9, err_msg=str(path))
        checked += 1
    assert checked == 2 * 5 * 8 + 6 + 12


def test_fakes_only_leave_the_fpr_without_a_change(table):
    found = intervals_of(table)
    assert found["changes"]["fake"]["fpr"] == [0, 0]
    assert found["changes"]["fake"]["fnr"] == found["changes"]["both"]["fnr"]


def test_differences_are_paired(table):
    """An attack that moves no score has an interval of no width, however wide the figure's own is."""
    found = intervals_of(table.assign(score_attacked=table["score"]))
    low, high = found["both"]["auc"]
    assert high - low > 0.02
    assert all(interval == [0, 0] for interval in found["changes"]["both"].values())


def test_one_video_of_a_class_gives_no_interval_for_what_hangs_on_it(table):
    table = table[(table["label"] == 0) | (table["video_id"] == table["video_id"].iloc[-1])]
    found = intervals_of(table)
    for name in ("fnr", "recall", "precision", "auc", "accuracy", "eer", "ap"):
        assert np.isnan(found["both"][name]).all()
    assert np.isfinite(found["both"]["fpr"]).all()
    assert np.isnan(found["similarity"]["fake"]["ssim"]).all()
    assert np.isnan(found["correlation"]["pooled"]["ssim"]["score"]["pearson"]).all()
    assert np.isfinite(found["correlation"]["pristine"]["ssim"]["score"]["pearson"]).all()


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_the_intervals_that_it_has_figures_for(table, label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = intervals_of(table[table["label"] == label])
    for name, value in classification_metrics(
        table["score"][table["label"] == label], table["label"][table["label"] == label]
    ).items():
        assert np.isnan(found["clean"][name]).all() == np.isnan(value), name


def test_without_an_attack_there_are_clean_intervals_only(table):
    table = table.assign(**dict.fromkeys(MEASURED[1:], np.nan))
    found = run_intervals(table, {"clean": table["score"].to_numpy()}, RESAMPLES, SEED)
    assert set(found) == {"clean", "video"}
    assert set(found["video"]) == {"clean"}
