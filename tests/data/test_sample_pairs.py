import json
from collections import Counter

from sr_deepfake.data.sample.geometry import head_yaw
from sr_deepfake.data.sample.people import draw_pairs, identity_table, split_file

VAL = [("011", "062"), ("019", "055"), ("039", "084"), ("045", "063"), ("065", "071"), ("076", "085")]


def test_every_person_is_in_exactly_one_pair_of_one_split():
    pairs = draw_pairs()
    assert {split: len(chosen) for split, chosen in pairs.items()} == {"train": 30, "val": 6, "test": 12}
    people = [name for chosen in pairs.values() for pair in chosen for name in pair]
    assert sorted(people) == list(identity_table().names)


def test_sizes_are_shared_out_evenly_and_agree_within_a_pair():
    table = identity_table()
    size = dict(zip(table.names, table.sizes.tolist(), strict=True))
    for chosen in draw_pairs().values():
        assert all(size[a] == size[b] for a, b in chosen)
        counts = Counter(size[a] for a, _ in chosen)
        assert set(counts) == {240, 304, 368}
        assert len(set(counts.values())) == 1


def test_heads_of_a_pair_are_turned_more_alike_than_chance():
    table = identity_table()
    yaw = {name: head_yaw(points) for name, points in zip(table.names, table.landmarks, strict=True)}
    train = draw_pairs()["train"]
    within = sum(abs(yaw[a] - yaw[b]) for a, b in train)
    shifted = sum(abs(yaw[a] - yaw[b]) for (a, _), (_, b) in zip(train, train[1:] + train[:1], strict=True))
    assert within < shifted / 3


def test_the_draw_of_this_version_does_not_change():
    assert draw_pairs()["val"] == VAL


def test_split_files_are_lists_of_pairs_of_strings():
    pairs = draw_pairs()["val"]
    assert json.loads(split_file(pairs)) == [list(pair) for pair in pairs]
