import numpy as np
import pandas as pd
import pytest
from scored_faces import predictions
from sklearn.metrics import roc_auc_score

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.scores import read_scores
from sr_deepfake.system.errors import UserError


def table(**columns):
    faces = predictions((0.1, 0.3), (0.05, 0.2))
    named = faces.rename(columns={"video_id": "video", "face_id": "face"})
    return named[["video", "face", "label", "score", "score_attacked"]].assign(**columns)


def written(path, rows, **options):
    rows.to_csv(path, index=False, **options)
    return path


def test_the_figures_are_those_of_predictions(tmp_path):
    (result,) = read_scores(written(tmp_path / "api.csv", table()))
    run = result.run
    assert (run.model, run.forgery, run.data, run.is_external) == ("api", "fake", "scores", True)
    assert result.metrics.value("clean", "auc") == pytest.approx(roc_auc_score(table()["label"], table()["score"]))
    expected = run_metrics(predictions((0.1, 0.3), (0.05, 0.2)))
    for setup in ("both", "fake", "video/both"):
        for name in ("fnr", "fpr"):
            assert result.metrics.figure(setup, name) == expected.figure(setup, name)
    assert result.metrics.value("similarity/fake", "ssim") is None


def test_columns_say_what_rows_are_of(tmp_path):
    rows = table(data="celebdf", attack="sr-edsr-x2")
    fakes = rows["label"] == 1
    rows["method"] = np.where(fakes, np.where(rows.index % 2, "Deepfakes", "FaceSwap"), "whatever")
    both = pd.concat([rows.assign(model="one"), rows.assign(model="two")])
    jpeg = rows.assign(model="two", attack="jpeg")
    results = read_scores(written(tmp_path / "x.csv", pd.concat([both, jpeg])))
    assert len({result.folder for result in results}) == len(results)  # the page's links go by it
    results = [result for result in results if result.run.attack.name != "jpeg"]
    assert [(r.run.model, r.run.forgery, r.run.data, r.run.attack.name) for r in results] == [
        (model, method, "celebdf", "sr-edsr-x2") for model in ("one", "two") for method in ("Deepfakes", "FaceSwap")
    ]
    assert {(r.metrics.counts.pristine, r.metrics.counts.fake) for r in results} == {(40, 20)}


def test_clusters_are_those_of_people_where_they_are_named(tmp_path):
    rows = table()
    targets, sources = ([f"t{index // 8}" for index in range(80)], ["s" if index < 16 else "" for index in range(80)])
    (result,) = read_scores(written(tmp_path / "x.csv", rows.assign(target=targets, source=sources)))
    assert result.metrics.counts.clusters == 9  # the first two targets share a source
    (named,) = read_scores(written(tmp_path / "y.csv", rows.assign(cluster=np.arange(80) // 20)))
    assert named.metrics.counts.clusters == 4


@pytest.mark.parametrize("options", [{"sep": ";"}, {"sep": "\t"}, {"encoding": "utf-8-sig"}])
def test_files_as_other_programs_write_them(tmp_path, options):
    rows = table().rename(columns={"label": " Label ", "score": "SCORE"})
    rows[" Label "] = rows[" Label "].map({1: "Fake", 0: "real"})
    (result,) = read_scores(written(tmp_path / "x.csv", rows, **options))
    assert result.metrics.counts.faces == 80


def test_videos_without_faces_and_faces_without_videos(tmp_path):
    (by_video,) = read_scores(written(tmp_path / "v.csv", table().drop(columns="face")))
    assert by_video.metrics.counts.videos == 20
    (by_face,) = read_scores(written(tmp_path / "f.csv", table().drop(columns="video")))
    assert by_face.metrics.counts.videos == 80


def test_clean_scores_alone_have_no_attack(tmp_path):
    (result,) = read_scores(written(tmp_path / "x.csv", table().drop(columns="score_attacked")))
    assert not result.is_attacked
    (empty,) = read_scores(written(tmp_path / "y.csv", table(score_attacked=np.nan)))
    assert not empty.is_attacked


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="label"), r"has no column label; it has 'video', 'face'"),
        (lambda rows: rows.drop(columns=["face", "video"]), "no column face or video"),
        (lambda rows: rows.assign(score=-rows["score"]), r"line 2: score is '-0\.2', not a prob.* go through a sigmoid"),
        (lambda rows: rows.assign(score=rows["score"] * 100), "line 2: score is .* Percentages are divided by 100"),
        (lambda rows: rows.assign(score="27.5%"), "line 2: score is '27.5%'.* Percentages are divided by 100"),
        (lambda rows: rows.assign(label=2), "line 2: the label '2' is not 1 or fake"),
        (lambda rows: pd.concat([rows, rows.iloc[:1]]), "line 82: this face is listed twice"),
        (lambda rows: rows.iloc[:0], "has no rows"),
        (lambda rows: rows.assign(score_attacked=rows["score_attacked"].where(rows.index > 3)), "score_attacked is empty"),
        (lambda rows: rows.assign(face=rows["face"].where(rows.index != 5)), "line 7: the face"),
    ],
)  # fmt: skip
def test_mistakes_are_reported_with_their_line(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        read_scores(written(tmp_path / "x.csv", change(table())))
    with pytest.raises(UserError, match="no such file"):
        read_scores(tmp_path / "nowhere.csv")


def test_a_real_and_a_fake_file_may_have_one_name(tmp_path):
    rows = pd.DataFrame({"face": ["a.png", "a.png"], "label": [1, 0], "score": [0.9, 0.1], "side": ["inf", "96"]})
    (result,) = read_scores(written(tmp_path / "x.csv", rows))
    counts = result.metrics.counts
    assert (counts.faces, counts.pristine, counts.fake, counts.videos) == (2, 1, 1, 2)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UserError, match="cannot be read as CSV"):
        read_scores(tmp_path / "x.csv")


def test_decimal_commas_are_read(tmp_path):
    (tmp_path / "scores.csv").write_text("video;label;score\na;0;0,25\nb;1;,75\n")
    (result,) = read_scores(tmp_path / "scores.csv")
    assert result.predictions["score"].tolist() == [0.25, 0.75]
