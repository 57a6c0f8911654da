import numpy as np
import pandas as pd
import pytest

from sr_deepfake.metrics.predictions import videos_of


@pytest.fixture
def table():
    random = np.random.default_rng(0)
    label = np.repeat([0, 1], (23, 31))
    return pd.DataFrame(
        {
            "video_id": [f"{'fake' if one else 'pristine'}/{random.integers(6)}" for one in label],
            "label": label,
            "score": random.random(54),
        }
    ).sample(frac=1, random_state=1)


def test_a_video_s_score_is_the_mean_of_its_frames(table):
    videos = videos_of(table)
    means = videos.means(table["score"])
    position = 0
    for label in (0, 1):
        for name in sorted(set(table["video_id"][table["label"] == label])):
            frames = [row.score for row in table.itertuples() if row.video_id == name]
            assert (videos.labels[position], videos.frames[position]) == (label, len(frames))
            assert means[position] == pytest.approx(sum(frames) / len(frames), abs=1e-12)
            position += 1
    assert position == len(means)


def test_each_face_knows_its_video(table):
    videos = videos_of(table)
    assert (videos.labels[videos.units] == table["label"].to_numpy()).all()
    assert table.groupby(videos.units)["video_id"].nunique().eq(1).all()


def test_a_name_that_stands_for_both_classes_is_two_videos():
    videos = videos_of(pd.DataFrame({"video_id": ["a", "a"], "label": [1, 0]}))
    assert (videos.units.tolist(), videos.labels.tolist()) == ([1, 0], [0, 1])


def test_no_faces_are_no_videos():
    assert len(videos_of(pd.DataFrame({"video_id": [], "label": []})).means([])) == 0
