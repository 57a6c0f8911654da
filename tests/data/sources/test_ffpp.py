import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import FORGERY_METHODS, DataNotFoundError, FaceSet, Video, read_manifest, thin
from sr_deepfake.data.sources.ffpp import (
    PACKAGED_SPLITS,
    FaceForensics,
    InvalidSplitsError,
    find_splits,
    list_videos,
)
from sr_deepfake.system.errors import UserError

PAIRS = {"train": [["000", "003"], ["001", "870"]], "val": [["720", "672"]], "test": [["953", "974"]]}


def write_splits(folder: Path, pairs: dict = PAIRS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, content in pairs.items():
        (folder / f"{split}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def put(root: Path, relative: str) -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"video")
    return path


@pytest.mark.parametrize("place", [".", "splits"])
def test_splits_are_found_in_the_tree(tmp_path, place):
    write_splits(tmp_path / place)
    splits = find_splits(tmp_path)
    assert splits.train == (("000", "003"), ("001", "870"))
    assert (splits.val, splits.test) == ((("720", "672"),), (("953", "974"),))
    assert splits.pairs("test") == splits.test
    assert splits.folder == tmp_path / place


def test_a_given_folder_wins(tmp_path):
    write_splits(tmp_path / "splits")
    other = write_splits(tmp_path / "other", PAIRS | {"val": [["001", "002"]], "train": []})
    assert find_splits(tmp_path, other).val == (("001", "002"),)


def test_official_lists_stand_in_and_are_named_in_the_log(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    splits = find_splits(tmp_path)
    assert splits.folder == PACKAGED_SPLITS
    assert "official" in caplog.text
    sets = [{name for pair in splits.pairs(split) for name in pair} for split in ("train", "val", "test")]
    assert [len(names) for names in sets] == [720, 140, 140]
    assert set.union(*sets) == {f"{i:03d}" for i in range(1000)}


def test_a_given_folder_without_files_is_an_error_that_names_them(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"nowhere does not exist.*train\.json.*data\.splits="):
        find_splits(tmp_path, tmp_path / "nowhere")


def test_an_incomplete_folder_is_an_error_that_names_what_is_missing(tmp_path):
    (write_splits(tmp_path / "splits") / "val.json").unlink()
    with pytest.raises(DataNotFoundError, match=r"has no val\.json"):
        find_splits(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[", "not valid JSON"),
        ("{}", "list of pairs"),
        ('["000003"]', "pair of different"),
        ('[["000"]]', "pair of different"),
        ('[["000", 3]]', "pair of different"),
        ('[["000", "000"]]', "pair of different"),
        ('[["../", "000"]]', "pair of different"),
        ('[["000", "0003"]]', "pair of different"),
    ],
)
def test_malformed_files_are_errors_that_name_the_file(tmp_path, content, message):
    write_splits(tmp_path, PAIRS | {"val": content})
    with pytest.raises(InvalidSplitsError, match=message) as error:
        find_splits(tmp_path)
    assert "val.json" in str(error.value)


def test_an_identity_in_two_splits_is_an_error(tmp_path):
    write_splits(tmp_path, PAIRS | {"test": [["953", "003"]]})
    with pytest.raises(InvalidSplitsError, match=r"Identity 003 is in both train\.json and test\.json"):
        find_splits(tmp_path)


def test_lists_both_fakes_of_a_pair_and_both_pristine_videos(tmp_path):
    put(tmp_path, "original_sequences/youtube/c23/videos/720.mp4")
    write_splits(tmp_path, PAIRS | {"train": [], "test": []})
    folder = tmp_path / "manipulated_sequences" / "FaceSwap" / "c23" / "videos"
    youtube = tmp_path / "original_sequences" / "youtube" / "c23" / "videos"
    assert list_videos(tmp_path, find_splits(tmp_path), ["FaceSwap"]) == [
        Video("pristine/720", "pristine", 0, "val", "720", "", youtube / "720.mp4"),
        Video("pristine/672", "pristine", 0, "val", "672", "", youtube / "672.mp4"),
        Video("FaceSwap/720_672", "FaceSwap", 1, "val", "720", "672", folder / "720_672.mp4"),
        Video("FaceSwap/672_720", "FaceSwap", 1, "val", "672", "720", folder / "672_720.mp4"),
    ]


def test_the_official_lists_give_the_official_numbers(tmp_path):
    put(tmp_path, "original_sequences/youtube/c23/videos/000.mp4")
    videos = list_videos(tmp_path, find_splits(tmp_path))
    assert len(videos) == 6000 == len({video.video_id for video in videos})
    for method in ("pristine", *FORGERY_METHODS):
        counts = [
            sum(v.method == method and v.split == split for v in videos) for split in ("train", "val", "test")
        ]
        assert counts == [720, 140, 140]


def test_pristine_videos_can_be_left_out(tmp_path):
    put(tmp_path, "manipulated_sequences/FaceSwap/c23/videos/720_672.mp4")
    write_splits(tmp_path)
    videos = list_videos(tmp_path, find_splits(tmp_path), ["FaceSwap"], pristine=False)
    assert {video.method for video in videos} == {"FaceSwap"}


@pytest.mark.parametrize(("asked", "there"), [("raw", "c0"), ("c0", "raw"), ("raw", "raw"), ("c40", "c40")])
def test_raw_and_c0_are_one_level(tmp_path, asked, there):
    path = put(tmp_path, f"original_sequences/youtube/{there}/videos/720.mp4")
    write_splits(tmp_path)
    assert path in {video.path for video in list_videos(tmp_path, find_splits(tmp_path), [], asked)}


def test_a_missing_root_is_an_error_that_says_what_to_do(tmp_path):
    for call in (
        lambda: find_splits(tmp_path / "gone"),
        lambda: list_videos(tmp_path / "gone", find_splits(tmp_path)),
    ):
        with pytest.raises(DataNotFoundError, match=r"data\.root=.*gone: the folder does not exist") as error:
            call()
        assert isinstance(error.value, UserError)


def test_nothing_found_names_the_levels_that_are_there(tmp_path):
    put(tmp_path, "original_sequences/youtube/c40/videos/720.mp4")
    write_splits(tmp_path)
    with pytest.raises(DataNotFoundError) as error:
        list_videos(tmp_path, find_splits(tmp_path), ["FaceSwap"], "c23")
    message = str(error.value)
    assert str(tmp_path / "manipulated_sequences/FaceSwap/c23/videos/TTT_SSS.mp4") in message
    assert "pristine: c40" in message
    assert "FaceSwap: none" in message
    assert "data.compression=" in message


def test_an_empty_root_says_which_layout_is_expected(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"no video is there\. Looked for: original_sequences"):
        list_videos(tmp_path, find_splits(tmp_path))


def test_a_method_without_videos_is_warned_of(tmp_path, caplog):
    put(tmp_path, "original_sequences/youtube/c23/videos/720.mp4")
    write_splits(tmp_path)
    list_videos(tmp_path, find_splits(tmp_path), ["FaceSwap"])
    assert "None of the FaceSwap videos" in caplog.text


def test_an_unknown_method_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match="Did you mean 'FaceSwap'"):
        list_videos(tmp_path, find_splits(tmp_path), ["FaceSwop"])


@given(st.lists(st.integers(1, 15), min_size=1, max_size=5), st.integers(1, 12))
def test_thinning_keeps_as_many_faces_of_each_video_as_asked_for(counts, frames):
    rng = np.random.default_rng(sum(counts))
    rows = pd.concat(
        pd.DataFrame({"video_id": f"v{number}", "frame": rng.permutation(300)[:count]})
        for number, count in enumerate(counts)
    )
    kept = thin(rows, frames).groupby("video_id")["frame"]
    for number, count in enumerate(counts):
        frames_kept = kept.get_group(f"v{number}")
        assert len(frames_kept) == min(count, frames)
        everything = rows[rows["video_id"] == f"v{number}"]["frame"]
        assert everything.min() == frames_kept.min()  # the first one is among them


def test_a_split_holds_pristine_faces_and_those_of_one_method(make_faces, tmp_path):
    faces = FaceSet("test", tmp_path, make_faces({"train": 3, "val": 2}))
    rows = faces.of("train", "FaceSwap")
    assert set(rows["method"]) == {"pristine", "FaceSwap"}
    assert set(rows["split"]) == {"train"}
    assert len(rows) == 6


def test_a_missing_class_names_the_command(make_faces, tmp_path):
    faces = FaceSet("ffpp", tmp_path, make_faces({"train": 3}))
    with pytest.raises(UserError, match=r"0 Deepfakes faces for train.*sr_deepfake\.prepare data=ffpp"):
        faces.of("train", "Deepfakes")


def source(crops, root=None):
    return FaceForensics(root, "c23", str(crops), ExtractionSettings(dataset="ffpp-c23"), workers=0)


def test_training_needs_the_crops_and_not_the_videos(make_faces, tmp_path):
    make_faces({"train": 3})
    assert source(tmp_path).faces(["FaceSwap"]).rows.equals(read_manifest(tmp_path))


def test_missing_crops_name_the_command(tmp_path):
    with pytest.raises(
        UserError, match=r"sr_deepfake\.prepare data=ffpp data\.root=/my/ffpp data\.compression=c23"
    ):
        source(tmp_path, "/my/ffpp").faces(["FaceSwap"])


def test_preparing_needs_the_root(tmp_path):
    with pytest.raises(UserError, match=r"data\.root=/path/to/FaceForensics"):
        source(tmp_path).prepare()
    with pytest.raises(UserError, match="nowhere"):
        source(tmp_path, str(Path("nowhere").absolute())).prepare()
