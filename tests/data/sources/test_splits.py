import re
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.manifest import SPLITS, video_table
from sr_deepfake.data.sources.splits import check_fractions, draw_splits, identities_of, split_groups
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


def table(given=lambda number: "", labels=(0, 1)) -> pd.DataFrame:
    """Sixty people with a video of each class; those of even and odd neighbours are one cluster."""
    return video_table(
        {
            "video_id": f"{'fake' if label else 'pristine'}/{number}", "path": "", "split": given(number),
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


def test_where_the_test_set_is_given_the_rest_is_divided():
    given = table(lambda number: "test" if number < 20 else "")
    drawn = draw_splits(given, (0.7, 0.15, 0.15)).groupby(given["split"])["split"].agg(set)
    assert drawn.to_dict() == {"": {"train", "val"}, "test": {"test"}}


def test_videos_of_one_class_are_a_test_set(caplog):
    assert set(draw_splits(table(labels=(1,)), (0.7, 0.15, 0.15))["split"]) == {"test"}
    assert "All files are of one class: they are a test set" in caplog.text
