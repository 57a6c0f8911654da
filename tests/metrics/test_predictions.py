import numpy as np
import pandas as pd
import pytest
from scored_faces import predictions

from sr_deepfake.metrics.predictions import (
    COLUMNS,
    checked,
    is_attacked,
    read_predictions,
    videos_of,
    write_predictions,
)
from sr_deepfake.system.errors import UserError


@pytest.fixture
def table():
    return predictions(count=2).iloc[1:3]


def test_what_is_written_is_read(table, tmp_path):
    path = tmp_path / "run" / "predictions.parquet"
    write_predictions(path, table[list(reversed(COLUMNS))].astype({"side": "int32", "score": "float32"}))
    again = read_predictions(path)
    assert tuple(again.columns) == COLUMNS
    pd.testing.assert_frame_equal(again, checked(table), atol=1e-7, rtol=0)
    assert (str(again["side"].dtype), str(again["score"].dtype)) == ("int64", "float64")
    assert [entry.name for entry in path.parent.iterdir()] == ["predictions.parquet"]


def test_scores_survive_bit_by_bit(table, tmp_path):
    table["score"] = [np.nextafter(0, 1), np.nextafter(1, 0)]
    write_predictions(tmp_path / "predictions.parquet", table)
    assert read_predictions(tmp_path / "predictions.parquet")["score"].tolist() == table["score"].tolist()


def test_faces_that_were_not_attacked(table):
    assert is_attacked(table)
    table[["score_attacked", "logit_attacked", "ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped"]] = np.nan
    assert not is_attacked(checked(table))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="ssim"), "ssim"),
        (lambda t: t.assign(extra=1), "extra"),
        (lambda t: t.drop(columns="cluster"), "of an older version.*no column cluster"),
        (lambda t: t.assign(logit=np.nan), "with their logits"),
        (lambda t: t.assign(face_id="a"), "appear twice, the first is a"),
        (lambda t: t.assign(label=[0, 2]), "labels"),
        (lambda t: t.assign(score=[0.1, 1.2]), "scores"),
        (lambda t: t.assign(score=[0.1, np.nan]), "scores"),
        (lambda t: t.assign(score_attacked=[0.1, np.nan]), "attacked scores"),
    ],
)
def test_tables_that_do_not_fit_are_refused_and_not_written(table, tmp_path, change, message):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(ValueError, match=message):
        write_predictions(path, change(table))
    assert not path.exists()


def test_missing_and_damaged_files_say_what_mends_them(tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(UserError, match=r"no predictions at .*predictions\.parquet.*sr_deepfake\.evaluate"):
        read_predictions(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"predictions\.parquet does not hold predictions"):
        read_predictions(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(UserError, match="lack the columns"):
        read_predictions(path)


def test_a_video_s_score_is_the_mean_of_its_frames():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], (23, 31))
    names = [f"{'fake' if one else 'pristine'}/{random.integers(6)}" for one in label]
    faces = pd.DataFrame({"video_id": names, "label": label, "score": random.random(54)})
    table, frames = faces.sample(frac=1, random_state=1), {}
    for row in table.itertuples():
        frames.setdefault((row.label, row.video_id), []).append(row.score)
    videos, order = videos_of(table), sorted(frames)
    assert [order[unit] for unit in videos.units] == list(zip(table["label"], table["video_id"], strict=True))
    assert videos.labels.tolist() == [label for label, _ in order]
    assert videos.frames.tolist() == [len(frames[key]) for key in order]
    assert videos.means(table["score"]) == pytest.approx([np.mean(frames[key]) for key in order], abs=1e-12)


def test_a_name_that_stands_for_both_classes_is_two_videos():
    videos = videos_of(pd.DataFrame({"video_id": ["a", "a"], "label": [1, 0]}))
    assert (videos.units.tolist(), videos.labels.tolist()) == ([1, 0], [0, 1])


def test_no_faces_are_no_videos():
    assert len(videos_of(pd.DataFrame({"video_id": [], "label": []})).means([])) == 0
