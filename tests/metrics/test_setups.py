import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scored_faces import completed, predictions, random_predictions, unattacked

from sr_deepfake.metrics.changes import auc_test, change_tests, sign_flip_test
from sr_deepfake.metrics.classification import RATES, classification_metrics
from sr_deepfake.metrics.clusters import Clusters
from sr_deepfake.metrics.figures import Figure, Threshold
from sr_deepfake.metrics.predictions import SETUPS, SIMILARITY, setup_scores
from sr_deepfake.metrics.setups import percentile_interval, run_metrics
from sr_deepfake.metrics.thresholds import choose_threshold

RESAMPLES, SEED, THRESHOLD = 20, 5, 0.4


@pytest.fixture(scope="module")
def table():
    return random_predictions()


@pytest.fixture(scope="module")
def metrics(table):
    chosen = choose_threshold(table).model_copy(update={"value": THRESHOLD})
    return run_metrics(table, chosen, RESAMPLES, SEED)


def figures(faces, video="video_id"):
    """Every figure of a table of faces, by the plainest means: (setup, metric) → number."""
    found = {}
    means = ["score", "score_attacked", "logit", "logit_attacked"]
    videos = faces.groupby([video, "label"])[means].mean().reset_index()
    for setup in SETUPS:
        for prefix, rows in (("", faces), ("video/", videos)):
            scores, logits = (setup_scores(rows, setup, column) for column in ("score", "logit"))
            metrics = classification_metrics(scores, rows["label"], logits)
            found |= {(prefix + setup, name): value for name, value in metrics.items()}
        # A threshold of 0.4 is one of 0.5 for scores that are moved.
        moved = np.clip(setup_scores(faces, setup) + 0.5 - THRESHOLD, 0, 1)
        metrics = classification_metrics(moved, faces["label"])
        found |= {(f"threshold/{setup}", name): metrics[name] for name in RATES}
    found_clean = faces[(faces["label"] == 1) & (faces["score"] > 0.5)]
    found["both", "attack_success"] = (found_clean["score_attacked"] <= 0.5).mean()
    change = (faces["score_attacked"] - faces["score"]).to_numpy()
    for name, label in (("pristine", 0), ("fake", 1)):
        part = faces[faces["label"] == label]
        for measure in SIMILARITY:
            found[f"similarity/{name}", measure] = part[measure][np.isfinite(part[measure])].mean()
        found[f"similarity/{name}", "identical"] = np.isinf(part["psnr"]).mean()
    for measure in ("ssim", "psnr", "ssim_224"):
        finite = np.isfinite(faces[measure])
        found["correlation", f"{measure}_pearson"] = stats.pearsonr(faces[measure][finite], change[finite]).statistic
        found["correlation", f"{measure}_spearman"] = stats.spearmanr(faces[measure].clip(upper=1e3), change).statistic
    return found


def test_every_figure_is_that_of_a_plain_loop(table, metrics):
    expected = figures(table)
    found = {(setup, name) for setup, own in metrics.figures.items() for name in own}
    assert found == expected.keys()
    for (setup, name), value in expected.items():
        assert metrics.value(setup, name) == pytest.approx(value, abs=1e-9), (setup, name)
        clean = expected.get((setup.replace("both", "clean").replace("fake", "clean"), name))
        if setup.rpartition("/")[2] in ("both", "fake") and clean is not None and (setup[-4:], name) != ("fake", "fpr"):
            assert metrics.figure(setup, name).change == pytest.approx(value - clean, abs=1e-9)
        else:
            assert metrics.figure(setup, name).change is None


def test_every_interval_is_that_of_a_loop_over_resampled_tables(table, metrics):
    clusters = Clusters.of(table)
    rows = []
    for weights in np.concatenate(list(clusters.draw(RESAMPLES, SEED))).astype(int):
        copies = [
            table[clusters.units == unit].assign(copy=lambda t, n=n: t["video_id"] + f" {n}")
            for unit, times in enumerate(weights)
            for n in range(times)
        ]
        rows.append(figures(pd.concat(copies), "copy"))
    expected = {key: np.nanquantile([row[key] for row in rows], [0.025, 0.975]) for key in rows[0]}
    for (setup, name), ends in expected.items():
        figure = metrics.figure(setup, name)
        if figure.value not in (0, 1):
            assert figure.interval == pytest.approx(tuple(ends), abs=1e-9), (setup, name)
        clean = setup.replace("both", "clean").replace("fake", "clean")
        if figure.change:
            moved = np.nanquantile([row[setup, name] - row[clean, name] for row in rows], [0.025, 0.975])
            assert figure.change_interval == pytest.approx(tuple(moved), abs=1e-9), (setup, name)
    # Thresholds, low FPRs, calibration and the success of the attack have intervals, too.
    for setup, name in (("threshold/both", "fnr"), ("both", "tpr_at_1"), ("clean", "ece"), ("fake", "brier"),
                        ("both", "attack_success")):  # fmt: skip
        assert metrics.figure(setup, name).interval is not None


def test_an_interval_ignores_undefined_resamples():
    assert percentile_interval(np.array([np.nan, *range(1001)])) == pytest.approx((25, 975))
    assert np.isnan(percentile_interval(np.array([np.nan]))).all()


def test_flipped_decisions_and_p_values_are_those_of_a_loop(table, metrics):
    clusters = Clusters.of(table)
    turned, p_values = change_tests([table], clusters)
    for rate, label in (("fnr", 1), ("fpr", 0)):
        own = table[table["label"] == label]
        wrong = {name: (own[name] > 0.5) != (label == 1) for name in ("score", "score_attacked")}
        worsened, improved = (wrong["score_attacked"] & ~wrong["score"], wrong["score"] & ~wrong["score_attacked"])
        assert turned[rate].model_dump() == {"worsened": worsened.sum(), "improved": improved.sum()}
        p = sign_flip_test(worsened, improved, pd.factorize(own["cluster"])[0])
        assert p_values["both", rate] == pytest.approx(p)
        assert metrics.figure("both", rate).p == pytest.approx(p)
    for setup in ("both", "fake"):
        logits = [setup_scores(table, name, "logit") for name in ("clean", setup)]
        assert metrics.figure(setup, "auc").p == auc_test(*logits, table["label"], clusters.units)


def test_counts_and_provenance_of_the_intervals(table, metrics):
    pristine, fakes = (table[table["label"] == label] for label in (0, 1))
    assert metrics.counts.model_dump() == {
        "faces": 150, "pristine": len(pristine), "fake": len(fakes), "videos": table["video_id"].nunique(), "clusters": 24,
        "clusters_pristine": pristine["cluster"].nunique(), "clusters_fake": fakes["cluster"].nunique(),
    }  # fmt: skip
    assert metrics.bootstrap.model_dump() == {
        "resamples": RESAMPLES, "level": 0.95, "seed": SEED, "unit": "cluster", "seeds": 1,
    }  # fmt: skip
    again = run_metrics(table, resamples=RESAMPLES, seed=SEED)
    assert again.figure("both", "auc") == metrics.figure("both", "auc")
    assert run_metrics(table, resamples=RESAMPLES, seed=6).figure("both", "auc") != metrics.figure("both", "auc")


def test_differences_are_paired(table):
    """An attack that moves no score has a change of no width but for what few clusters leave open."""
    found = run_metrics(table.assign(score_attacked=table["score"], logit_attacked=table["logit"]), resamples=RESAMPLES)
    low, high = found.figure("both", "auc").interval
    assert high - low > 0.02
    change = found.figure("both", "fnr")
    assert change.change == 0
    assert change.change_low < 0 < change.change_high


@pytest.mark.parametrize("fnr", [0.0, 1.0])
def test_no_error_in_few_clusters_is_not_certainty(fnr):
    """24 clusters without an error: up to 14.2 %."""
    found = run_metrics(predictions(fnr=(fnr, fnr), count=96), resamples=RESAMPLES)
    assert found.counts.clusters_fake == 24
    exact = stats.binomtest(round(24 * fnr), 24).proportion_ci(0.95, method="exact")
    assert found.figure("clean", "fnr").interval == pytest.approx((exact.low, exact.high))
    low, high = found.figure("both", "fnr").change_interval
    assert low < high


def test_one_cluster_of_a_class_gives_no_interval_for_what_depends_on_it(table):
    kept = table[(table["label"] == 0) | (table["cluster"] == table["cluster"].iloc[-1])]
    found = run_metrics(kept, resamples=RESAMPLES)
    rates = [("both", name) for name in ("fnr", "recall", "precision", "auc", "accuracy", "eer", "ap")]
    assert not any(found.figure(*key).interval for key in [*rates, ("similarity/fake", "ssim")])
    assert all(found.figure(*key).interval for key in [("both", "fpr"), ("similarity/pristine", "ssim")])


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_its_own_figures_and_no_warning(table, label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = run_metrics(table[table["label"] == label], resamples=RESAMPLES)
        certain = predictions(fnr=(0, 0), fpr=(0, 0), count=96).query(f"label == {label}")
        certain = run_metrics(certain, resamples=RESAMPLES).frame()
    assert (certain["low"].isna() == certain["high"].isna()).all()
    defined = {"fpr"} if label == 0 else {"fnr", "recall"}
    for name in ("fnr", "fpr", "recall", "auc"):
        assert (found.value("clean", name) is not None) == (name in defined)
    assert found.figure("both", "fpr" if label == 0 else "fnr").p is not None
    assert found.figure("both", "fnr" if label == 0 else "fpr").p is None


def test_faces_that_were_not_attacked_have_clean_figures_only(table):
    found = run_metrics(unattacked(table), resamples=RESAMPLES)
    assert set(found.figures) == {"clean", "video/clean"}
    assert (found.is_attacked, found.turned) == (False, {})


def test_several_seeds_are_averaged_and_both_seeds_and_clusters_are_drawn(table):
    """Two trainings that differ widely: the interval of their mean is wider than that of either."""
    worse = table.assign(score=table["score"] * 0.7, score_attacked=table["score_attacked"] * 0.7)
    worse = completed(worse.drop(columns=["logit", "logit_attacked"]))
    singles = [run_metrics(each, resamples=400) for each in (table, worse)]
    both = run_metrics([table, worse], resamples=400)
    assert both.bootstrap.seeds == 2
    mean = np.mean([each.value("clean", "fnr") for each in singles])
    assert both.value("clean", "fnr") == pytest.approx(mean)
    widths = [np.diff(each.figure("clean", "fnr").interval)[0] for each in (*singles, both)]
    assert widths[2] > 1.2 * max(widths[:2])
    total = {name: sum(getattr(each.turned["fnr"], name) for each in singles) for name in ("worsened", "improved")}
    assert both.turned["fnr"].model_dump() == total
    with pytest.raises(ValueError, match="of the same faces"):
        run_metrics([table, worse.iloc[::-1]])


def test_the_frame_has_a_row_for_each_figure(metrics):
    frame = metrics.frame()
    assert list(frame.columns) == ["setup", "metric", *Figure.model_fields]
    row = frame[(frame["setup"] == "both") & (frame["metric"] == "fnr")].iloc[0]
    assert (row["value"], row["p"]) == (metrics.value("both", "fnr"), metrics.figure("both", "fnr").p)
    assert metrics == type(metrics).model_validate_json(metrics.model_dump_json())


def test_no_faces_no_resamples_and_unknown_setups_are_refused(table):
    with pytest.raises(ValueError, match=r"0 faces|no scores"):
        run_metrics(table.iloc[:0])
    with pytest.raises(ValueError, match="cannot draw 0 resamples"):
        run_metrics(table, resamples=0)
    with pytest.raises(ValueError, match="clean, both, fake"):
        setup_scores(table, "pristine")


def test_rates_of_few_faces_have_the_interval_of_their_clusters():
    """All that is found clean is of one cluster of 24; one face alone is called fake."""
    table = predictions(fnr=(1.0, 1.0), fpr=(0, 0), count=96)
    of_one = table["cluster"] == table["cluster"].iloc[0]
    faces = completed(table.drop(columns="logit").assign(score=np.where(of_one, 0.9, 0.1)))
    found = run_metrics(faces, resamples=RESAMPLES)
    for figure in (found.figure("both", "attack_success"), found.figure("clean", "precision")):
        assert (figure.value, figure.interval) == (1, None)


@pytest.mark.parametrize("seeds", [6, 10])
def test_a_mean_over_seeds_of_no_error_is_exactly_none(seeds):
    found = run_metrics([predictions(fnr=(0, 0), count=96)] * seeds, resamples=20)
    recall = found.figure("clean", "recall")
    assert (recall.value, recall.interval) == (1, pytest.approx((1 - 0.142, 1), abs=1e-3))


def test_thresholds_that_differ_by_seed_are_not_one_number():
    chosen = [Threshold(value=value, rule="equal error") for value in (0.2, 0.8)]
    found = run_metrics([predictions(count=40)] * 2, chosen, resamples=20).threshold
    assert (found.value, found.rule) == (None, "equal error, of each seed")
