import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.metrics import roc_auc_score

from sr_deepfake.metrics.functional import classification_metrics
from sr_deepfake.metrics.predictions import MEASURED
from sr_deepfake.metrics.resampling import draw_videos, percentile_interval, resampled, run_intervals
from sr_deepfake.metrics.setups import setup_scores
from sr_deepfake.metrics.weighted import rank, weighted_metrics

LABELS = np.repeat([0, 1], (5, 8))


def test_each_class_keeps_its_number_of_videos():
    (drawn,) = draw_videos(LABELS, resamples=200)
    assert drawn.shape == (200, 13)
    assert (drawn[:, LABELS == 0].sum(axis=1) == 5).all()
    assert (drawn[:, LABELS == 1].sum(axis=1) == 8).all()


def test_every_video_is_as_likely_and_draws_are_with_replacement():
    (drawn,) = draw_videos(LABELS, resamples=20_000)
    np.testing.assert_allclose(drawn.mean(axis=0), 1, atol=0.03)
    for size, label in ((5, 0), (8, 1)):  # a count is binomial(size, 1 / size)
        np.testing.assert_allclose(drawn[:, label == LABELS].var(axis=0), 1 - 1 / size, atol=0.05)


def test_draws_follow_from_the_seed_however_many_come_at_once():
    (whole,) = draw_videos(LABELS, resamples=50, seed=3)
    for at_once in (1, 7, 50, 64):
        parts = list(draw_videos(LABELS, resamples=50, seed=3, at_once=at_once))
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    (other,) = draw_videos(LABELS, resamples=50, seed=4)
    assert (other != whole).any()


def test_one_class_alone_can_be_drawn():
    (drawn,) = draw_videos([1, 1, 1], resamples=5)
    assert (drawn.sum(axis=1) == 3).all()


@pytest.mark.parametrize(("labels", "resamples"), [([], 10), ([0, 1], 0)])
def test_nothing_to_draw_is_refused(labels, resamples):
    with pytest.raises(ValueError, match="cannot be drawn"):
        list(draw_videos(labels, resamples))


def test_figures_do_not_hang_on_how_many_faces_a_block_holds():
    def figures(drawn):
        return {"first": drawn[:, 0], "last": drawn[:, -1]}

    few = resampled(figures, LABELS, faces=10, resamples=100)
    many = resampled(figures, LABELS, faces=10_000_000, resamples=100)
    for name in ("first", "last"):
        np.testing.assert_array_equal(few[name], many[name])


def test_an_interval_leaves_undefined_resamples_out():
    assert percentile_interval(np.array([np.nan, *range(1001)])) == pytest.approx((25, 975))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


def test_rates_over_videos_agree_with_scipy():
    """A rate is a ratio of two sums over videos, which scipy resamples in pairs."""
    random = np.random.default_rng(0)
    frames = random.integers(3, 11, 70)
    units = np.repeat(np.arange(70), frames)
    scores = np.clip(random.normal(0.6, 0.2, 70)[units] + random.normal(0, 0.1, len(units)), 0, 1)
    missed = np.bincount(units, scores <= 0.5)
    scipy = stats.bootstrap(
        (missed, frames), lambda m, n, axis: m.sum(axis=axis) / n.sum(axis=axis), paired=True,
        vectorized=True, method="percentile", n_resamples=20_000, rng=1,
    )  # fmt: skip
    ranking = rank(scores, np.ones(len(units), dtype=int), units)
    ours = resampled(lambda drawn: weighted_metrics(ranking, drawn), np.ones(70), len(units), 20_000)["fnr"]
    assert percentile_interval(ours) == pytest.approx(scipy.confidence_interval, abs=0.004)
    assert ours.std(ddof=1) == pytest.approx(scipy.standard_error, rel=0.03)


def test_auc_over_faces_agrees_with_scipy():
    random = np.random.default_rng(0)
    fakes, pristine = np.clip(random.normal(0.6, 0.2, 60), 0, 1), np.clip(random.normal(0.4, 0.2, 50), 0, 1)
    labels = np.repeat([1, 0], (60, 50))
    scipy = stats.bootstrap(
        (fakes, pristine), lambda f, p: roc_auc_score(labels, np.concatenate([f, p])), paired=False,
        vectorized=False, method="percentile", n_resamples=1_500, rng=1,
    )  # fmt: skip
    ranking = rank(np.concatenate([fakes, pristine]), labels)
    ours = resampled(lambda drawn: weighted_metrics(ranking, drawn), labels, 110, 20_000)["auc"]
    assert percentile_interval(ours) == pytest.approx(scipy.confidence_interval, abs=0.01)
    assert ours.std(ddof=1) == pytest.approx(scipy.standard_error, rel=0.08)


# Coverage: sets of videos from a population whose true figures are known in closed form.
VIDEOS, FRAMES, SETS, RESAMPLES = 50, 10, 400, 400
BETWEEN, WITHIN = 0.15, 0.08  # spread of a score between videos, and between the frames of one
FAKE, PRISTINE, ATTACKED = 0.62, 0.4, 0.55  # mean scores
SPREAD = np.hypot(BETWEEN, WITHIN)
TRUTH = {
    "fnr": stats.norm.cdf((0.5 - FAKE) / SPREAD),
    "auc": stats.norm.cdf((FAKE - PRISTINE) / SPREAD / np.sqrt(2)),
    "change of fnr": stats.norm.cdf((0.5 - ATTACKED) / SPREAD) - stats.norm.cdf((0.5 - FAKE) / SPREAD),
}


@pytest.fixture(scope="module")
def coverage():
    """For intervals over videos and over frames: in how many sets they held the truth."""
    labels = np.repeat([0, 1], VIDEOS)
    units = np.repeat(np.arange(2 * VIDEOS), FRAMES)
    held = {(unit, name): 0 for unit in ("videos", "frames") for name in TRUTH}
    for seed in range(SETS):
        random = np.random.default_rng(seed)
        # Both scores of a frame share the video's part, as clean and attacked faces do.
        shared = random.normal(0, BETWEEN, 2 * VIDEOS)[units]
        clean = np.where(labels[units] == 1, FAKE, PRISTINE) + shared + random.normal(0, WITHIN, len(units))
        attacked = ATTACKED + shared + random.normal(0, WITHIN, len(units))
        clean_rank = {
            "videos": rank(clean, labels[units], units), "frames": rank(clean, labels[units])
        }  # fmt: skip
        turned = (attacked <= 0.5).astype(float) - (clean <= 0.5)
        for unit, columns, classes in (("videos", units, labels), ("frames", None, labels[units])):
            surplus = turned if columns is None else np.bincount(columns, turned)
            fakes = classes == 1

            def figures(drawn, ranking=clean_rank[unit], surplus=surplus, fakes=fakes):
                metrics = weighted_metrics(ranking, drawn)
                change = drawn[:, fakes] @ surplus[fakes] / (VIDEOS * FRAMES)
                return {"fnr": metrics["fnr"], "auc": metrics["auc"], "change of fnr": change}

            for name, values in resampled(figures, classes, len(units), RESAMPLES, seed).items():
                low, high = percentile_interval(values)
                held[unit, name] += low <= TRUTH[name] <= high
    return {key: count / SETS for key, count in held.items()}


@pytest.mark.parametrize("figure", list(TRUTH))
def test_intervals_over_videos_hold_the_truth_as_often_as_they_say(coverage, figure):
    assert 0.92 <= coverage["videos", figure] <= 0.97


@pytest.mark.parametrize("figure", ["fnr", "auc"])
def test_intervals_over_frames_are_too_narrow(coverage, figure):
    assert coverage["frames", figure] < 0.75


SETUPS = ("clean", "both", "fake")
FEW_RESAMPLES, SEED = 40, 5


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
            "ssim_224": random.random(150),
            "psnr_224": random.uniform(30, 45, 150),
            "psnr_224_wrapped": random.uniform(30, 45, 150),
        }
    )


def intervals_of(table, resamples=FEW_RESAMPLES):
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
            found |= {
                ("similarity", name, measure): part[measure].mean()
                for measure in ("ssim_224", "psnr_224", "psnr_224_wrapped")
            }
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
    (draws,) = draw_videos(labels, FEW_RESAMPLES, SEED)
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
    assert checked == 2 * 5 * 8 + 10 + 12


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
    found = run_intervals(table, {"clean": table["score"].to_numpy()}, FEW_RESAMPLES, SEED)
    assert set(found) == {"clean", "video"}
    assert set(found["video"]) == {"clean"}
