import os
from unittest.mock import Mock

import pytest

from sr_deepfake.data.extraction import records
from sr_deepfake.data.extraction.records import CRASHED, is_current, new_record, publish, read_record, skip
from sr_deepfake.data.manifest import Video


@pytest.fixture
def video(tmp_path) -> Video:
    (tmp_path / "000.mp4").write_bytes(b"video")
    return Video("pristine/000", tmp_path / "000.mp4")


def test_a_record_is_written_last_and_the_faces_of_before_go(tmp_path, video, monkeypatch):
    folder = tmp_path / "out"
    publish(new_record(video, "one"), {"0001.png": b"a", "0002.png": b"b"}, folder)

    with monkeypatch.context() as patch:
        patch.setattr(records, "write_json", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            publish(new_record(video, "two"), {"0003.png": b"c"}, folder)
    assert read_record(folder) is None  # neither the old one nor half a new one
    publish(new_record(video, "two"), {"0003.png": b"c"}, folder)
    assert {path.name for path in folder.iterdir()} == {"0003.png", "video.json"}
    assert read_record(folder)["settings"] == "two"


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_a_record_that_is_none(tmp_path, video, content):
    if content is not None:
        (tmp_path / "video.json").write_text(content)
    assert read_record(tmp_path) is None
    assert not is_current(tmp_path, video, "settings")


def test_skipped_videos_are_tried_again_when_the_file_changes_and_after_a_crash(tmp_path, video):
    record = new_record(video, "settings")
    publish(skip(record, video, CRASHED, ""), {}, tmp_path)
    assert not is_current(tmp_path, video, "settings")
    publish(skip(record, video, "unreadable", ""), {}, tmp_path)
    assert is_current(tmp_path, video, "settings")
    assert not is_current(tmp_path, Video("pristine/001", video.path), "settings")
    video.path.write_bytes(b"VIDEO")  # of the same size
    os.utime(video.path, ns=(1, 1))
    assert not is_current(tmp_path, video, "settings")


def test_a_folder_of_frames_has_changed_where_its_files_have(tmp_path):
    frames = Video("pristine/000", tmp_path / "000", mask=tmp_path / "000")
    frames.path.mkdir()
    (frames.path / "0.png").write_bytes(b"frame")
    record = new_record(frames, "settings")
    size = frames.path.stat().st_size  # what earlier records hold
    for stored in (record, record | {"source_size": size, "mask_size": size}):
        publish(stored, {}, tmp_path / "out")
        assert is_current(tmp_path / "out", frames, "settings")
    publish(record, {}, tmp_path / "out")
    (frames.path / "0.png").write_bytes(b"other frame")
    assert not is_current(tmp_path / "out", frames, "settings")
