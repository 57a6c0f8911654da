import os
from pathlib import Path

import pytest

from sr_deepfake.media.files import find_files, is_media, output_folder, plan_jobs
from sr_deepfake.system.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.JPG", "in/a.png", "in/sub/c.mp4", "in/sub/d.txt", "in/.hidden.png", "in/.git/e.png", "f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def targets(wish, output, **options):
    files = find_files(wish, without=output_folder(output))
    return {str(job.source): str(job.target) for job in plan_jobs(files, output, **options)}


def test_a_folder_keeps_its_folders(folder):
    assert targets("in", "out") == {"in/a.png": "out/a.png", "in/b.JPG": "out/b.JPG", "in/sub/c.mp4": "out/sub/c.mp4"}
    assert find_files("in").left_alone == 1


def test_one_file_becomes_a_file_or_goes_into_a_folder(folder):
    assert targets("f.png", "out.png") == {"f.png": "out.png"}
    assert targets(7, "8") == {"7": "8"}
    assert targets("f.png", "new/") == {"f.png": "new/f.png"}
    assert targets("f.png", "in/sub") == {"f.png": "in/sub/f.png"}


def test_a_pattern_keeps_what_stands_behind_its_first_wildcard(folder):
    assert targets("in/*.*", "out") == {"in/a.png": "out/a.png", "in/b.JPG": "out/b.JPG"}
    assert targets("in/**/c.*", "out") == {"in/sub/c.mp4": "out/sub/c.mp4"}
    assert targets(str(folder / "*.png"), "out") == {str(folder / "f.png"): "out/f.png"}
    (folder / "g[1].png").touch()  # what exists is no pattern
    assert targets("g[1].png", "out.png") == {"g[1].png": "out.png"}


def test_lists_of_names(folder):
    expected = {"f.png": "out/f.png", "in/sub/c.mp4": "out/c.mp4"}
    assert targets(["f.png", "in/sub/c.mp4"], "out") == expected
    (folder / "lines").write_text("f.png\r\nin/sub/c.mp4\n\n")
    assert targets("@lines", "out") == expected
    strange = " -x\n=%[é]'\".png"
    (folder / strange).touch()
    (folder / "bytes").write_bytes(b"f.png\0" + os.fsencode(strange) + b"\0")
    assert targets("@bytes", "out") == {"f.png": "out/f.png", strange: f"out/{strange}"}
    (folder / "@photo.png").touch()
    assert targets("@photo.png", "out.png") == {"@photo.png": "out.png"}


def test_a_missing_file_is_found_out_when_it_is_read(folder):
    assert targets(["nowhere.png", "f.png"], "out") == {"nowhere.png": "out/nowhere.png", "f.png": "out/f.png"}


@pytest.mark.parametrize(
    ("wish", "output", "message"),
    [
        (None, "out", r"no input is named; .* input=PATH"),
        ([], "out", r"no input is named"),
        ("f.png", None, r"no output is named; .* output=PATH"),
        ("in/.git/..", "f.png", r"output=f\.png: it is a file; several results need a folder"),
        ("*.gif", "out", r"input=\*\.gif: there is nothing of this name"),
        ("@nowhere", "out", r"input=@nowhere: the list cannot be read \(No such file"),
        (["f.png", "in/../f.png"], "out", r"f\.png and in/\.\./f\.png would both be written to out/f\.png"),
        ("in/.git", "out", r"no photo or video in this folder"),
    ],
)
def test_mistakes_are_told(folder, wish, output, message):
    (folder / "in/.git/e.png").unlink()
    with pytest.raises(UserError, match=message):
        targets(wish, output)


def test_no_output_takes_its_inputs_place(folder):
    (folder / "link.png").symlink_to("f.png")
    (folder / "folder").symlink_to("in")
    os.link("f.png", "hard.png")
    for wish, output in (
        ("f.png", "f.png"), ("f.png", "./in/../f.png"), ("link.png", "f.png"), ("f.png", "link.png"),
        ("f.png", "hard.png"), ("in", "in"), ("in", "folder"), ("in", "in/sub/.."), ("f.png", "."),
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"is the input .*overwrite=true"):
            targets(wish, output)
        assert targets(wish, output, overwrite=True)


def test_no_output_takes_another_inputs_place(folder):
    (folder / "o").mkdir()
    (folder / "o/f.png").write_text("another")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"the output o/f\.png is the input o/f\.png; name another output$"):
            targets(["f.png", "*/f.png"], "o", overwrite=overwrite)


def test_results_below_the_input_are_no_input_the_next_time(folder):
    (folder / "in/out").mkdir()
    (folder / "in/out/a.png").write_text("a result")
    assert list(targets("in", "in/out")) == ["in/a.png", "in/b.JPG", "in/sub/c.mp4"]
    assert list(targets("./in", str(folder / "in/out"))) == ["in/a.png", "in/b.JPG", "in/sub/c.mp4"]


def test_a_tilde_is_the_home_folder_before_a_slash_alone(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert targets("~/f.png", "~nobody.png") == {str(folder / "f.png"): "~nobody.png"}


def test_what_photos_and_videos_are():
    assert is_media(Path("a.TIFF"))
    assert is_media(Path("a.webm"))
    assert not is_media(Path("png"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_lists_are_read_by_their_byte_order_mark(tmp_path, encoding):
    (tmp_path / "größe.png").write_bytes(b"")
    mark = {"utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    (tmp_path / "list.txt").write_bytes(mark + f"{tmp_path / 'größe.png'}\r\n\r\n".encode(encoding))
    files = find_files(f"@{tmp_path / 'list.txt'}")
    assert [file.path for file in files.found] == [tmp_path / "größe.png"]


def test_a_list_in_utf_16_without_a_mark_never_makes_a_folder_an_input(tmp_path):
    (tmp_path / "list.txt").write_bytes("/photos/a.png\n".encode("utf-16-le"))
    with pytest.raises(UserError, match=r"names the folder '/'\. Is it UTF-16"):
        find_files(f"@{tmp_path / 'list.txt'}")
