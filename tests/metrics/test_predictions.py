import numpy as np
import pandas as pd
import pytest
from scored_faces import predictions

from sr_deepfake.metrics.predictions import COLUMNS, checked, read_predictions, videos_of, write_predictions
from sr_deepfake.system.errors import UserError


@pytest.fixture
def table():
    return predictions(count=2).iloc[1:3]


def test_what_is_written_is_read(table, tmp_path):
    path = tmp_path / "run" / "predictions.parquet"
    table["score"] = [np.nextafter(0, 1), np.nextafter(1, 0)]
    write_predictions(path, table[list(reversed(COLUMNS))].astype({"side": "int32", "ssim": "float32"}))
    again = read_predictions(path)
    assert tuple(again.columns) == COLUMNS
    pd.testing.assert_frame_equal(again, checked(table), atol=1e-7, rtol=0)
    assert again["score"].tolist() == table["score"].tolist()  # bit by bit
    assert (str(again["side"].dtype), str(again["ssim"].dtype)) == ("int64", "float64")
    assert [entry.name for entry in path.parent.iterdir()] == ["predictions.parquet"]


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


def test_missing_and_damaged_files_say_what_to_do(tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(UserError, match=r"no predictions at .*predictions\.parquet.*sr_deepfake\.evaluate"):
        read_predictions(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"predictions\.parquet does not hold predictions"):
        read_predictions(path)


def test_videos_are_pristine_ones_first_by_name_and_score_the_mean_of_their_frames():
    """A name that stands for both classes is two videos."""
    videos = videos_of(pd.DataFrame({"video_id": ["b", "a", "b", "b", "a"], "label": [1, 1, 0, 1, 1]}))
    assert (videos.units.tolist(), videos.labels.tolist()) == ([2, 1, 0, 2, 1], [0, 1, 1])
    assert videos.means([0.25, 0.5, 0.125, 0.75, 0]).tolist() == [0.125, 0.25, 0.5]
