import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.manifest import SPLITS
from sr_deepfake.data.sources.splits import check_fractions, group_identities, identities_of, split_groups
from sr_deepfake.system.errors import UserError

IDENTITIES = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=3).map(tuple), max_size=12)
CLASSES = st.dictionaries(
    st.text(max_size=4), st.sets(st.sampled_from([0, 1]), min_size=1), min_size=12, max_size=80
)


@given(IDENTITIES)
def test_groups_are_what_is_linked(identities):
    groups = group_identities(identities)
    # The plain way: merge sets that meet until none do.
    merged = [set(own) for own in identities]
    for _ in merged:
        merged = [set().union(*(other for other in merged if other & one)) for one in merged]
    assert groups == [min(one) for one in merged]


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
def test_identities_are_told_by_names(name, pattern, identities):
    assert identities_of(name, pattern and re.compile(pattern)) == identities


@given(CLASSES, st.integers(0, 5))
def test_each_split_has_both_classes_or_it_is_refused(classes, seed):
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


def test_the_shares_are_those_asked_for():
    split_of = split_groups({str(number): {0, 1} for number in range(20_000)}, (0.6, 0.3, 0.1))
    count = Counter(split_of.values())
    for split, share in zip(SPLITS, (0.6, 0.3, 0.1), strict=True):
        assert count[split] / 20_000 == pytest.approx(share, abs=0.015)  # four standard deviations


@pytest.mark.parametrize("fractions", [(0.0, 0.0, 1.0), (0.6, 0.4, 0.0), (1.0, 0.0, 0.0), (0.5, 0.0, 0.5)])
def test_a_split_of_nothing_stays_empty(fractions):
    split_of = split_groups({str(number): {0, 1} for number in range(500)}, fractions)
    assert set(split_of.values()) == {s for s, share in zip(SPLITS, fractions, strict=True) if share}


def test_few_groups_are_shared_out():
    assert sorted(split_groups({"a": {0, 1}, "b": {0, 1}, "c": {0, 1}}, (0.98, 0.01, 0.01)).values()) == [
        "test",
        "train",
        "val",
    ]


def test_too_few_groups_are_refused():
    with pytest.raises(UserError, match=r"3 groups .* have real ones, 2 have fakes.*data\.identity"):
        split_groups({"a": {0}, "b": {0}, "c": {0, 1}, "d": {1}}, (0.7, 0.15, 0.15))


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(UserError, match=r"data\.fractions=\[0\.7,0\.15,0\.15\]"):
        check_fractions(fractions)
