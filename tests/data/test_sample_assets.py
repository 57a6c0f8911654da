import re

import numpy as np

from sr_deepfake.data.sample.geometry import (
    INNER_LIPS,
    LEFT_EYE,
    NOSE_TIP,
    OUTER_LIPS,
    OVAL,
    RIGHT_EYE,
    VERTICES,
)
from sr_deepfake.data.sample.people import ASSETS, identity_table, read_identity


def test_each_clip_has_landmarks_for_every_frame_and_the_size_stated():
    table = identity_table()
    assert sorted(path.stem for path in (ASSETS / "identities").glob("*.mp4")) == list(table.names)
    for name, size in list(zip(table.names, table.sizes, strict=True))[::12]:
        frames = read_identity(name)
        assert frames.shape == (10, size, size, 3)
        assert frames.dtype == np.uint8
        assert table.landmarks_of(name).shape == (10, len(VERTICES), 2)


def test_landmarks_lie_in_the_frame_and_where_their_names_say():
    table = identity_table()
    points = table.landmarks
    assert points.min() > 0
    assert (points.max(axis=(1, 2, 3)) < table.sizes).all()
    eyes = (points[..., RIGHT_EYE, :].mean(axis=2) + points[..., LEFT_EYE, :].mean(axis=2)) / 2
    nose, mouth = points[..., NOSE_TIP, :], points[..., OUTER_LIPS, :].mean(axis=2)
    assert (eyes[..., 1] < nose[..., 1]).all()
    assert (nose[..., 1] < mouth[..., 1]).all()
    assert (points[..., RIGHT_EYE, 0].mean(axis=2) < points[..., LEFT_EYE, 0].mean(axis=2)).all()
    assert (np.ptp(points[..., INNER_LIPS, 0], axis=2) < np.ptp(points[..., OUTER_LIPS, 0], axis=2)).all()
    assert (points[..., OVAL, 1].min(axis=2) < eyes[..., 1]).all()


def test_landmarks_move_as_little_as_the_clips_do():
    step = np.linalg.norm(np.diff(identity_table().landmarks, axis=1), axis=3)
    assert step.mean() < 3
    assert step.max() < 30


def test_assets_are_small_and_say_where_they_are_from():
    assert (ASSETS / "landmarks.npz").stat().st_size < 600_000
    assert sum(path.stat().st_size for path in ASSETS.rglob("*.*")) < 6_000_000
    text = (ASSETS / "README.md").read_text(encoding="utf-8")
    assert all(
        re.search(word, text) for word in ("random-face", "Apache-2.0", "StyleGAN2", "FFHQ", "MediaPipe")
    )
