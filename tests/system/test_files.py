import errno
import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import check_writable, explain, printable, read_text, replacing, safe_name, write_json


def test_a_file_appears_only_when_it_is_whole_and_an_error_leaves_the_old_one(tmp_path):
    path = tmp_path / "deep" / "numbers.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
        assert not path.exists()

    def interrupted():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(file.name, file.read_text()) for file in path.parent.iterdir()] == [("numbers.txt", "old")]


def test_json_is_written_sorted(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1, 2]})
    assert list(json.loads((tmp_path / "a.json").read_text())) == ["a", "b"]


def test_a_text_in_another_encoding_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "list.csv").write_text("path,label", encoding="utf-16")
    with pytest.raises(UserError, match=r"list\.csv is no UTF-8 text; save it as UTF-8"):
        read_text(tmp_path / "list.csv")


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
def test_a_folder_below_a_file_is_refused_with_how_to_fix_it(tmp_path, path):
    (tmp_path / "file").write_text("")
    fix = r"paths\.outputs=FOLDER or the environment variable SR_DEEPFAKE_OUTPUTS"
    with pytest.raises(UserError, match=rf"{path} cannot be written to \(.*{fix}"):
        check_writable(tmp_path / path)


REFUSALS, FULL = (errno.EROFS, errno.EACCES, errno.EPERM), (errno.ENOSPC, errno.EDQUOT)


@pytest.mark.parametrize(
    ("numbers", "name", "expected"),
    [
        (REFUSALS, "/data/outputs/detectors/one", "/data/outputs cannot be written to (Refused); name another folder"),
        (REFUSALS, "/data/videos/000.mp4", "/data/videos/000.mp4: Refused"),
        (REFUSALS, None, None),
        (REFUSALS, "/data/cache/sample-v2", "SR_DEEPFAKE_CACHE=FOLDER"),  # as where a container runs with HOME=/
        ((errno.ENOTDIR, errno.EEXIST), "/etc/x", None),
        (FULL, None, "written to /data/outputs (Refused)"),
        (FULL, "/other/cache/face.png", "written to /other/cache (Refused)"),
        ((errno.ENOENT,), "/data/outputs/x", None),
    ],
)
def test_a_refusal_and_a_full_disk_are_explained(monkeypatch, numbers, name, expected):
    monkeypatch.setenv("SR_DEEPFAKE_CACHE", "/data/cache")
    for number in numbers:
        found = explain(OSError(number, "Refused", name), Path("/data/outputs"))
        assert found is None if expected is None else expected in found
    assert explain(PermissionError("please set WANDB_DATA_DIR\nor not"), Path("outputs")) == "please set WANDB_DATA_DIR"


def test_a_full_disk_is_found_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.write_bytes", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(UserError, match="no room left"):
        check_writable(tmp_path)


def test_files_of_another_user_are_named(tmp_path, monkeypatch):
    outputs = tmp_path / "outputs"
    lock = outputs / "detectors" / ".one.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    error = PermissionError(errno.EACCES, "Permission denied", str(lock))
    assert "another user's" not in explain(error, outputs)
    monkeypatch.setattr("os.getuid", lambda: lock.stat().st_uid + 1)
    assert f"since {lock} is another user's (umask 002" in explain(error, outputs)
