import itertools
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.manifest import SPLITS, video_table
from sr_deepfake.data.sources.splits import (
    check_fractions,
    draw_splits,
    find_leaks,
    identities_of,
    split_groups,
    without_leaks,
)
from sr_deepfake.system.errors import UserError

CLASSES = st.dictionaries(st.text(max_size=4), st.sets(st.sampled_from([0, 1]), min_size=1), min_size=12, max_size=80)


@pytest.mark.parametrize(
    ("name", "pattern", "identities"),
    [
        ("a/b/c.jpg", None, ("a",)),
        ("c.tar.jpg", None, ("c.tar",)),
        ("id3_id7_0001.mp4", r"^(id\d+)_(id\d+)?", ("id3", "id7")),
        ("id3_0001.mp4", r"^(id\d+)_(id\d+)?", ("id3",)),
        ("x/7_7.png", r"(\d)_(\d)", ("7",)),
        ("x/007.png", r"\d+", ("007",)),
        ("none.png", r"\d+", ()),
    ],
)
def test_identities_are_found_in_names(name, pattern, identities):
    assert identities_of(name, pattern and re.compile(pattern)) == identities


@given(CLASSES, st.integers(0, 5))
def test_each_split_has_both_classes(classes, seed):
    if min(sum(label in own for own in classes.values()) for label in (0, 1)) < 6:
        return
    split_of = split_groups(classes, (0.7, 0.15, 0.15), seed)
    assert split_of.keys() == classes.keys()
    for split in SPLITS:
        assert set().union(*(classes[group] for group, own in split_of.items() if own == split)) == {0, 1}


def test_a_group_stays_where_it_is_when_others_come():
    few = {f"person {number}": {0, 1} for number in range(200)}
    many = few | {f"another {number}": {0, 1} for number in range(300)}
    before, after = (split_groups(groups, (0.7, 0.15, 0.15)) for groups in (few, many))
    assert before == {group: after[group] for group in few}
    assert split_groups(few, (0.7, 0.15, 0.15), seed=1) != before


@pytest.mark.parametrize("fractions", [(0.6, 0.3, 0.1), (0.0, 0.0, 1.0), (0.6, 0.4, 0.0), (0.5, 0.0, 0.5)])
def test_the_fractions_are_those_asked_for(fractions):
    split_of = split_groups({str(number): {0, 1} for number in range(20_000)}, fractions)
    count = Counter(split_of.values())
    for split, share in zip(SPLITS, fractions, strict=True):
        assert count[split] / 20_000 == pytest.approx(share, abs=0.015 if share else 0)  # four standard deviations


def test_few_groups_are_shared_out_and_too_few_refused():
    three = split_groups({"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}, (0.98, 0.01, 0.01))
    assert sorted(three.values()) == ["test", "train", "val"]
    with pytest.raises(UserError, match=r"3 groups .* have real ones, 2 have fakes.*data\.identity"):
        split_groups({"a": {0}, "b": {0}, "c": {0, 1}, "d": {1}}, (0.7, 0.15, 0.15))


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_fractions_must_add_up_to_one(fractions):
    with pytest.raises(UserError, match=r"data\.fractions=\[0\.7,0\.15,0\.15\]"):
        check_fractions(fractions)


def table(labels=(0, 1)) -> pd.DataFrame:
    """Sixty people with a video of each class; those of even and odd neighbours are one cluster."""
    return video_table(
        {
            "video_id": f"{'fake' if label else 'pristine'}/{number}", "path": "",
            "target": f"{number:03}", "source": f"{number ^ 1:03}" if label else "",
        }
        for number in range(60)
        for label in labels
    )  # fmt: skip


def test_videos_are_drawn_by_their_clusters():
    drawn = draw_splits(table(), (0.6, 0.2, 0.2))
    assert set(drawn["split"]) == set(SPLITS)
    assert drawn.groupby("cluster")["split"].nunique().eq(1).all()
    assert drawn.drop(columns="split").equals(table().drop(columns="split"))
    assert draw_splits(drawn, (0, 0, 1)).equals(drawn)  # nothing is left to be drawn


def test_videos_of_one_class_are_a_test_set(caplog):
    assert set(draw_splits(table(labels=(1,)), (0.7, 0.15, 0.15))["split"]) == {"test"}
    assert "All files are of one class: they are a test set" in caplog.text


@given(st.integers(0, 10_000), st.integers(0, 30))
def test_leaks_are_those_of_a_plain_loop(seed, count):
    random = np.random.default_rng(seed)
    video = random.integers(0, max(1, count // 2), count)
    rows = pd.DataFrame(
        {
            "video_id": [f"v{number}" for number in video],
            "split": [SPLITS[number % 3] for number in video],
            "sha256": [str(number) for number in random.integers(0, 2 * count + 1, count)],
            "target": [f"p{number % 9}" for number in video],
            "source": [f"p{number % 7}+p{number % 5}" if number % 2 else "" for number in video],
        }
    )
    expected = set()
    for a, b in itertools.product(rows.itertuples(), repeat=2):
        if SPLITS.index(a.split) < SPLITS.index(b.split):
            people = [{row.target, *filter(None, row.source.split("+"))} for row in (a, b)]
            if a.sha256 == b.sha256:
                expected.add(("picture", a.video_id, b.split))
            if people[0] & people[1]:
                expected.add(("identity", a.video_id, b.split))
    found = find_leaks(rows)
    assert {*zip(found["kind"], found["video_id"], found["other_split"], strict=True)} == expected
    assert len(found) == len(expected)


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "video_id": ["fake/a", "fake/b", "fake/c"], "split": ["train", "val", "test"],
            "sha256": ["x", "y", "x"], "target": ["a", "b", "c"], "source": "",
        }
    )  # fmt: skip


def test_what_is_done_about_leaks(rows, tmp_path, caplog):
    with pytest.raises(UserError, match=r"1 pairs of files \(1 picture\).*leaks\.csv.*data\.leaks=drop leaves 1 files"):
        without_leaks(rows, tmp_path, "error")
    listed = pd.read_csv(tmp_path / "leaks.csv")
    assert listed.to_numpy().tolist() == [["picture", "fake/a", "train", "fake/c", "test"]]
    assert without_leaks(rows, tmp_path, "warn") is rows
    assert "1 picture" in caplog.text
    assert without_leaks(rows, tmp_path, "drop")["video_id"].tolist() == ["fake/b", "fake/c"]
    assert "1 files are left out" in caplog.text


def test_nothing_is_said_where_nothing_leaks(rows, tmp_path, caplog):
    for policy in ("warn", "error", "drop"):
        assert without_leaks(rows[1:], tmp_path, policy).equals(rows[1:])
    assert caplog.text == ""
    assert pd.read_csv(tmp_path / "leaks.csv").empty
