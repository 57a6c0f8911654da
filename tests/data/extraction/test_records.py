import json
import os
from pathlib import Path

import pytest

from sr_deepfake.data.extraction import records
from sr_deepfake.data.extraction.records import (
    CRASHED,
    is_current,
    new_record,
    publish,
    read_record,
    skip,
    video_folder,
)
from sr_deepfake.data.manifest import Video


@pytest.fixture
def video(tmp_path) -> Video:
    (tmp_path / "000.mp4").write_bytes(b"video")
    return Video("pristine/000", tmp_path / "000.mp4")


def test_a_record_is_written_last_and_the_faces_of_before_go(tmp_path, video, monkeypatch):
    folder = video_folder(tmp_path / "out", video)
    publish(new_record(video, "one"), {"0001.png": b"a", "0002.png": b"b"}, folder)

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            publish(new_record(video, "two"), {"0003.png": b"c"}, folder)
    assert read_record(folder) is None  # neither the old one nor half a new one
    publish(new_record(video, "two"), {"0003.png": b"c"}, folder)
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
    assert not is_current(record, folder, Video("pristine/001", video.path), "settings")
    assert not is_current({**record, "faces": [{"path": "pristine/000/0001.png"}]}, folder, video, "settings")
    video.path.write_bytes(b"another video")
    assert not is_current(record, folder, video, "settings")


def test_skipped_videos_are_tried_again_when_the_file_changes_and_after_a_crash(video):
    record = skip(new_record(video, "settings"), video, "unreadable", "")
    assert is_current(record, Path(), video, "settings")
    assert not is_current(skip(record, video, CRASHED, ""), Path(), video, "settings")
    video.path.write_bytes(b"VIDEO")  # of the same size
    os.utime(video.path, ns=(1, 1))
    assert not is_current(record, Path(), video, "settings")
