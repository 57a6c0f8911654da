import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import check_writable, explain, printable, replacing, safe_name, write_json


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


@given(st.text(), st.text())
def test_safe_names_are_safe_and_tell_texts_apart(one, other):
    texts = [text.encode("utf-8", "ignore").decode() for text in (one, other)]  # no lone surrogates in names
    names = [safe_name(text) for text in texts]
    assert all(0 < len(name) <= 53 for name in names)
    assert (names[0].lower() == names[1].lower()) == (texts[0] == texts[1])
    assert all(printable(text).isprintable() for text in texts)


def test_a_folder_that_can_be_written_to_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "deep" / "outputs")
    assert list((tmp_path / "deep" / "outputs").iterdir()) == []


@pytest.mark.parametrize("path", ["file", "file/outputs", "file/deep/outputs"])
def test_a_folder_below_a_file_is_told_with_what_mends_it(tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=rf"{path} cannot be written to \(.*paths\.outputs=FOLDER") as told:
        check_writable(tmp_path / path)
    assert "SR_DEEPFAKE_OUTPUTS" in str(told.value)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_refusal_is_explained_in_the_outputs_alone(tmp_path, number):
    outputs = tmp_path / "outputs"
    inside = OSError(number, "Refused", str(outputs / "detectors" / "one"))
    outside = OSError(number, "Refused", str(tmp_path / "videos" / "000.mp4"))
    assert str(outputs) in explain(inside, outputs)
    assert explain(outside, outputs) is None
    assert explain(OSError(number, "Refused"), outputs) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_wherever_it_is(tmp_path, number):
    assert f"written to {tmp_path} (Full)" in explain(OSError(number, "Full"), tmp_path)
    elsewhere = explain(OSError(number, "Full", "/other/cache/face.png"), tmp_path)
    assert "written to /other/cache (Full)" in elsewhere


def test_other_errors_are_not_about_the_outputs(tmp_path):
    assert explain(FileNotFoundError(errno.ENOENT, "No such file", str(tmp_path / "x")), tmp_path) is None


def test_a_full_disk_is_found_before_the_work(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(UserError, match="no room left"):
        check_writable(tmp_path)


def test_a_cache_that_cannot_be_written_is_named_with_its_variable(tmp_path, monkeypatch):
    """As where a container runs with HOME=/."""
    monkeypatch.setenv("SR_DEEPFAKE_CACHE", str(tmp_path / "cache"))
    error = PermissionError(13, "Permission denied", str(tmp_path / "cache" / "sample-v2"))
    assert "SR_DEEPFAKE_CACHE=FOLDER" in explain(error, tmp_path / "outputs")
    assert explain(PermissionError(13, "Permission denied", "/etc/x"), tmp_path / "outputs") is None


def test_files_of_another_user_are_named(tmp_path, monkeypatch):
    outputs = tmp_path / "outputs"
    lock = outputs / "detectors" / ".one.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    error = PermissionError(errno.EACCES, "Permission denied", str(lock))
    assert "another user's" not in explain(error, outputs)
    monkeypatch.setattr("os.getuid", lambda: lock.stat().st_uid + 1)
    assert f"since {lock} is another user's (umask 002" in explain(error, outputs)
