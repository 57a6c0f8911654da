import json

import pytest

from sr_deepfake.system.files import replacing, write_json


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "numbers.txt"
    with replacing(path) as beside:
        beside.write_text("1")
        assert not path.exists()
    assert path.read_text() == "1"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("old")

    def interrupted():
        with replacing(path) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("numbers.txt", "old")]


def test_json_is_written_sorted(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1, 2]})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["a", "b"]
