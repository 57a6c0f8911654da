import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from sr_deepfake.metrics.resampling import draw_videos, percentile_interval, resampled
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
