import errno

import pytest

from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import check_writable, explain


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
