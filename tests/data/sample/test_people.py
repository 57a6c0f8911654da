import re
from collections import Counter

import numpy as np

from sr_deepfake.data.sample.geometry import INNER_LIPS, LEFT_EYE, NOSE_TIP, OUTER_LIPS, OVAL, RIGHT_EYE, VERTICES
from sr_deepfake.data.sample.people import ASSETS, draw_pairs, identity_table, read_identity


def test_each_clip_has_landmarks_for_every_frame_and_the_size_stated():
    table = identity_table()
    assert sorted(path.stem for path in (ASSETS / "identities").glob("*.mp4")) == list(table.names)
    for name, size in list(zip(table.names, table.sizes, strict=True))[::12]:
        frames = read_identity(name)
        assert frames.shape == (10, size, size, 3)
        assert frames.dtype == np.uint8
        assert table.landmarks_of(name).shape == (10, len(VERTICES), 2)


def test_landmarks_lie_in_the_frame_and_where_their_names_say():
    with np.load(ASSETS / "landmarks.npz", allow_pickle=False) as stored:
        assert tuple(stored["vertices"].tolist()) == VERTICES
    table = identity_table()
    points = table.landmarks
    assert points.min() > 0
    assert (points.max(axis=(1, 2, 3)) < table.sizes).all()
    right, left, mouth = (points[..., part, :].mean(axis=2) for part in (RIGHT_EYE, LEFT_EYE, OUTER_LIPS))
    heights = [points[..., OVAL, 1].min(axis=2), (right + left)[..., 1] / 2, points[..., NOSE_TIP, 1], mouth[..., 1]]
    assert (np.diff(heights, axis=0) > 0).all()  # forehead, eyes, nose, mouth
    assert (right[..., 0] < left[..., 0]).all()
    assert (np.ptp(points[..., INNER_LIPS, 0], axis=2) < np.ptp(points[..., OUTER_LIPS, 0], axis=2)).all()


def test_assets_are_small_and_say_where_they_are_from():
    assert (ASSETS / "landmarks.npz").stat().st_size < 600_000
    assert sum(path.stat().st_size for path in ASSETS.rglob("*.*")) < 6_000_000
    text = (ASSETS / "README.md").read_text(encoding="utf-8")
    assert all(re.search(word, text) for word in ("random-face", "Apache-2.0", "StyleGAN2", "FFHQ", "MediaPipe"))


def test_every_person_is_in_one_pair_of_one_split_and_sizes_are_shared_out_evenly():
    pairs, table = draw_pairs(), identity_table()
    assert {split: len(chosen) for split, chosen in pairs.items()} == {"train": 30, "val": 6, "test": 12}
    people = [name for chosen in pairs.values() for pair in chosen for name in pair]
    assert sorted(people) == list(table.names)
    size = dict(zip(table.names, table.sizes.tolist(), strict=True))
    for chosen in pairs.values():
        assert all(size[a] == size[b] for a, b in chosen)
        assert Counter(size[a] for a, _ in chosen) == dict.fromkeys((240, 304, 368), len(chosen) // 3)


def test_the_draw_of_this_version_does_not_change():
    drawn = [("011", "062"), ("019", "055"), ("039", "084"), ("045", "063"), ("065", "071"), ("076", "085")]
    assert draw_pairs()["val"] == drawn
