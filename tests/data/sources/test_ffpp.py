import json
from pathlib import Path

import pytest
from empty_files import put

from sr_deepfake.data.manifest import FORGERY_METHODS, DataNotFoundError
from sr_deepfake.data.sources.ffpp import read_splits, videos
from sr_deepfake.system.errors import UserError

PAIRS = {"train": [["000", "003"], ["001", "870"]], "val": [["720", "672"]], "test": [["953", "974"]]}


def write_splits(folder: Path, pairs: dict = PAIRS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in pairs.items():
        (folder / f"{split}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.fixture
def root(tmp_path):
    return put(tmp_path, "original_sequences/youtube/c23/videos/720.mp4")


def ids(table, split):
    return set(table["video_id"][(table["split"] == split) & table["method"].isin(["pristine", "FaceSwap"])])


@pytest.mark.parametrize("place", [".", "splits", "given"])
def test_splits_of_the_tree_and_a_given_folder(root, place):
    write_splits(root / place)
    table = videos(root, splits=str(root / place) if place == "given" else None)
    assert ids(table, "val") == {"pristine/720", "pristine/672", "FaceSwap/720_672", "FaceSwap/672_720"}
    row = table.set_index("video_id").loc["FaceSwap/672_720"]
    assert row[["method", "label", "target", "source", "cluster"]].tolist() == ["FaceSwap", 1, "672", "720", "672"]
    assert row["path"] == str(root / "manipulated_sequences/FaceSwap/c23/videos/672_720.mp4")


def test_the_official_lists_give_the_official_numbers(root):
    table = videos(root)
    assert len(table) == 6000 == table["video_id"].nunique()
    for method in ("pristine", *FORGERY_METHODS):
        counts = table[table["method"] == method]["split"].value_counts()
        assert counts.to_dict() == {"train": 720, "val": 140, "test": 140}
    # A cluster is a pair of people: both pristine videos and their ten fakes.
    test = table[table["split"] == "test"]
    assert test.groupby("cluster").size().tolist() == [12] * 70
    assert test.groupby("cluster")["target"].nunique().tolist() == [2] * 70


def test_clips_of_one_youtube_video_are_one_cluster(root):
    write_splits(root)
    assert videos(root).groupby("cluster")["target"].nunique().tolist() == [2, 2, 2, 2]
    (root / "conversion_dict.json").write_text(json.dumps({"953": "abc 0", "720": "abc 1", "000": "abcd 0"}))
    assert sorted(videos(root).groupby("cluster")["target"].nunique()) == [2, 2, 4]
    (root / "conversion_dict.json").write_text("[1]")
    with pytest.raises(UserError, match=r"conversion_dict\.json does not map identities"):
        videos(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[", "not valid JSON"),
        ("{}", "list of pairs"),
        ('["000003"]', "pair of different"),
        ('[["000", 3]]', "pair of different"),
        ('[["000", "000"]]', "pair of different"),
        ('[["../", "000"]]', "pair of different"),
        ([["953", "003"]], r"Identity 003 is in both train\.json and test\.json"),
        (None, r"has no test\.json.*data\.splits="),
    ],
)
def test_malformed_split_files_are_named(tmp_path, content, message):
    write_splits(tmp_path, PAIRS | {"test": content or []})
    if content is None:
        (tmp_path / "test.json").unlink()
    with pytest.raises(UserError, match=message) as error:
        read_splits(tmp_path)
    assert "test.json" in str(error.value)


@pytest.mark.parametrize(("asked", "there"), [("raw", "c0"), ("c0", "raw"), ("raw", "raw"), ("c40", "c40")])
def test_raw_and_c0_are_one_level(tmp_path, asked, there):
    put(write_splits(tmp_path), f"original_sequences/youtube/{there}/videos/720.mp4")
    row = videos(tmp_path, asked).set_index("video_id").loc["pristine/720"]
    assert Path(row["path"]).is_file()


def test_frames_masks_and_a_flat_mirror_are_read(tmp_path):
    write_splits(put(tmp_path / "flat", "original/720.mp4", "FaceSwap/720_672.mp4"))
    tree = write_splits(tmp_path / "tree")
    put(
        tree,
        "original_sequences/youtube/c23/frames/720/000.png",
        "manipulated_sequences/FaceSwap/c23/frames/720_672/000.png",
        "manipulated_sequences/FaceSwap/c23/masks/720_672/000.png",
        "manipulated_sequences/FaceSwap/masks/videos/672_720.mp4",
    )
    flat = videos(tmp_path / "flat").set_index("video_id")
    assert Path(flat.loc["FaceSwap/720_672", "path"]).is_file()
    table = videos(tree).set_index("video_id")
    assert Path(table.loc["pristine/720", "path"]).is_dir()
    assert Path(table.loc["FaceSwap/720_672", "mask"]).is_dir()
    assert Path(table.loc["FaceSwap/672_720", "mask"]).is_file()
    assert table.loc["FaceSwap/953_974", "mask"] == ""


def test_where_no_video_is_found_the_levels_that_exist_are_named(tmp_path):
    put(write_splits(tmp_path), "original_sequences/youtube/c40/videos/720.mp4")
    with pytest.raises(
        DataNotFoundError, match=r"c23/videos/000\.mp4\. There are c40 \(data\.compression=…; now c23\)"
    ):
        videos(tmp_path)
