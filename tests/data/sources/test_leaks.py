import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.manifest import SPLITS
from sr_deepfake.data.sources.splits import find_leaks, without_leaks
from sr_deepfake.system.errors import UserError


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
