import os

import pytest

from sr_deepfake.media.files import find_files, plan_jobs
from sr_deepfake.system.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/b.JPG", "in/a.png", "in/sub/c.mp4", "in/sub/d.txt", "in/.hidden.png", "in/.git/e.png", "f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def targets(requested, output, **options):
    return {str(job.source): str(job.target) for job in plan_jobs(find_files(requested, output), output, **options)}


@pytest.mark.parametrize(
    ("requested", "output", "expected"),
    [  # a folder keeps its folders,
        ("in", "out", {"in/a.png": "out/a.png", "in/b.JPG": "out/b.JPG", "in/sub/c.mp4": "out/sub/c.mp4"}),
        # one file becomes a file or goes into a folder,
        ("f.png", "out.png", {"f.png": "out.png"}),
        (7, "8", {"7": "8"}),
        ("f.png", "new/", {"f.png": "new/f.png"}),
        ("f.png", "in/sub", {"f.png": "in/sub/f.png"}),
        # a pattern keeps what stands behind its first wildcard,
        ("in/*.*", "out", {"in/a.png": "out/a.png", "in/b.JPG": "out/b.JPG"}),
        ("in/**/c.*", "out", {"in/sub/c.mp4": "out/sub/c.mp4"}),
        ("g[1].png", "out.png", {"g[1].png": "out.png"}),  # what exists is no pattern
        # a list is of names; what is missing is found out when it is read.
        (["f.png", "in/sub/c.mp4"], "out", {"f.png": "out/f.png", "in/sub/c.mp4": "out/c.mp4"}),
        (["nowhere.png", "f.png"], "out", {"nowhere.png": "out/nowhere.png", "f.png": "out/f.png"}),
    ],
)
def test_each_file_has_its_target(folder, requested, output, expected):
    (folder / "g[1].png").touch()
    assert targets(requested, output) == expected


def test_absolute_patterns_and_the_files_that_are_left_alone(folder):
    assert targets(str(folder / "*.png"), "out") == {str(folder / "f.png"): "out/f.png"}
    assert find_files("in").left_alone == 1


def test_previews_are_no_inputs_and_take_no_results_place(folder):
    (folder / "in/a.png.preview.png").touch()
    assert len(find_files("in").found) == 3
    assert find_files("in").left_alone == 2
    assert len(find_files("in/*.png").found) == len(find_files("in/*.preview.png").found) == 1
    both = find_files(["in/a.png", "in/a.png.preview.png"])
    assert len(plan_jobs(both, "out")) == 2
    with pytest.raises(UserError, match=r"preview of in/a.png and the result of in/a.*view.png would .*preview=false"):
        plan_jobs(both, "out", preview=True)


@pytest.mark.parametrize(
    ("requested", "output", "message"),
    [
        (None, "out", r"no input is named; .* input=PATH"),
        ([], "out", r"no input is named"),
        ("f.png", "", r"no output is named; .* output=PATH"),
        ("in/.git/..", "f.png", r"output=f\.png: it is a file; several results need a folder"),
        ("*.gif", "out", r"input=\*\.gif: there is no photo or video of this name, and none that fits it as a pattern"),
        (["f.png", "in/../f.png"], "out", r"f\.png and in/\.\./f\.png would both be written to out/f\.png"),
        ("in/.git", "out", r"no photo or video in this folder"),
    ],
)
def test_mistakes_are_named(folder, requested, output, message):
    (folder / "in/.git/e.png").unlink()
    with pytest.raises(UserError, match=message):
        targets(requested, output)


def test_no_output_takes_its_inputs_place(folder):
    (folder / "link.png").symlink_to("f.png")
    (folder / "folder").symlink_to("in")
    os.link("f.png", "hard.png")
    for requested, output in (
        ("f.png", "f.png"), ("f.png", "./in/../f.png"), ("link.png", "f.png"), ("f.png", "link.png"),
        ("f.png", "hard.png"), ("in", "in"), ("in", "folder"), ("in", "in/sub/.."), ("f.png", "."),
    ):  # fmt: skip
        with pytest.raises(UserError, match=r"is the input .*overwrite=true"):
            targets(requested, output)
        assert targets(requested, output, overwrite=True)


def test_no_output_takes_another_inputs_place(folder):
    (folder / "o").mkdir()
    (folder / "o/f.png").write_text("another")
    for overwrite in (False, True):
        with pytest.raises(UserError, match=r"the output o/f\.png is the input o/f\.png; name another output$"):
            targets(["f.png", "*/f.png"], "o", overwrite=overwrite)


@pytest.mark.parametrize(("requested", "output"), [("in", "in/out"), ("./in", "{folder}/in/out")])
def test_results_below_the_input_are_no_input_the_next_time(folder, requested, output):
    (folder / "in/out").mkdir()
    (folder / "in/out/a.png").write_text("a result")
    assert list(targets(requested, output.format(folder=folder))) == ["in/a.png", "in/b.JPG", "in/sub/c.mp4"]


def test_a_tilde_is_the_home_folder_before_a_slash_alone(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    assert targets("~/f.png", "~nobody.png") == {str(folder / "f.png"): "~nobody.png"}
