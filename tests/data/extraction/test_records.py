import json
import os
from pathlib import Path

import pytest

from sr_deepfake.data.extraction.records import (
    GIVEN_UP,
    is_current,
    new_record,
    publish,
    read_record,
    run_folder,
    skip,
    video_folder,
)
from sr_deepfake.data.manifest import Video


@pytest.fixture
def video(tmp_path) -> Video:
    (tmp_path / "000.mp4").write_bytes(b"video")
    return Video("pristine/000", "pristine", 0, "train", "000", "", tmp_path / "000.mp4")


def test_a_run_removes_its_folder_and_those_of_dead_runs_but_not_of_live_ones(tmp_path):
    dead = tmp_path / ".partial" / "dead"
    dead.mkdir(parents=True)
    (dead / "0001.png").write_bytes(b"half")
    (tmp_path / ".partial" / "dead.lock").touch()
    with run_folder(tmp_path) as first:
        assert not dead.exists()
        with run_folder(tmp_path) as second:
            assert first.is_dir()
            assert second.is_dir()
        assert first.is_dir()
        assert not second.exists()
    assert list((tmp_path / ".partial").iterdir()) == []


def test_publish_replaces_a_folder_as_a_whole(tmp_path, video):
    out = tmp_path / "out"
    folder = video_folder(out, video)
    with run_folder(out) as partial:
        publish(new_record(video, "one"), {"0001.png": b"a", "0002.png": b"b"}, folder, partial)
        publish(new_record(video, "two"), {"0003.png": b"c"}, folder, partial)
    assert {path.name for path in folder.iterdir()} == {"0003.png", "video.json"}
    assert read_record(folder)["settings"] == "two"


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_a_record_that_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "video.json").write_text(content)
    assert read_record(tmp_path) is None


def test_what_makes_a_record_out_of_date(tmp_path, video):
    record = json.loads(json.dumps(new_record(video, "settings")))
    folder = tmp_path / "faces"
    assert is_current(record, folder, video, "settings")
    assert not is_current(None, folder, video, "settings")
    assert not is_current(record, folder, video, "others")
    moved = Video("pristine/000", "pristine", 0, "test", "000", "", video.path)
    assert not is_current(record, folder, moved, "settings")
    assert not is_current({**record, "faces": [{"path": "pristine/000/0001.png"}]}, folder, video, "settings")
    video.path.write_bytes(b"another video")
    assert not is_current(record, folder, video, "settings")


def test_skipped_videos_are_tried_again_when_the_file_changes_and_after_a_crash(video):
    record = skip(new_record(video, "settings"), video, "unreadable", "")
    assert is_current(record, Path(), video, "settings")
    assert not is_current(skip(record, video, GIVEN_UP, ""), Path(), video, "settings")
    video.path.write_bytes(b"VIDEO")  # of the same size
    os.utime(video.path, ns=(1, 1))
    assert not is_current(record, Path(), video, "settings")
