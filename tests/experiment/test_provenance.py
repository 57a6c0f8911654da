import os
import subprocess

import pytest

from sr_deepfake.experiment import provenance
from sr_deepfake.system.errors import UserError


def git(folder, *arguments):
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    ended = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True, env=os.environ | names
    )
    return ended.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "sr_deepfake").mkdir()
    (tmp_path / "sr_deepfake" / "code.py").write_text("1")
    for command in (["init"], ["add", "."], ["commit", "-m", "one"]):
        git(tmp_path, *command)
    return tmp_path


def test_a_checkout_has_its_commit_and_whether_it_was_changed(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    (checkout / "notes.txt").write_text("of no code")
    assert provenance.commit(checkout) == {"commit": head, "changed": False}
    for name in ("code.py", "more.py"):  # another, a new one
        (checkout / "sr_deepfake" / name).write_text("2")
        assert provenance.commit(checkout) == {"commit": head, "changed": True}
        git(checkout, "checkout", "--quiet", ".")


def test_without_a_commit_or_git_there_is_none(checkout, monkeypatch):
    """As of an installed package that lies below a repository, or of a repository without a commit."""
    for name in ("site-packages", "new"):
        (checkout / name).mkdir()
    git(checkout / "new", "init", "--quiet")
    assert provenance.commit(checkout / "site-packages") is None
    assert provenance.commit(checkout / "new") is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance.commit(checkout) is None


def test_it_says_what_was_run_when_where_and_with_what(tmp_path, monkeypatch):
    task = ["seed=3", "data.root=/my videos"]
    monkeypatch.setattr("sr_deepfake.experiment.provenance.time.time", lambda: 1000.0)
    provenance.start("train", "python -m sr_deepfake.train -m seed=3,4 'data.root=/my videos'")
    monkeypatch.setattr("sr_deepfake.experiment.provenance.time.time", lambda: 1012.5)
    made = provenance.describe({"seed": 3}, task, {"data": "ffpp"}, "a CPU", {"name": "sample", "test": "aa"})
    assert made["command"] == "python -m sr_deepfake.train -m seed=3,4 'data.root=/my videos'"
    assert made["job"] == "python -m sr_deepfake.train seed=3 'data.root=/my videos'"
    assert (made["config"], made["device"], made["data"]) == ({"seed": 3}, "a CPU", {"name": "sample", "test": "aa"})
    assert made["choices"] == {"data": "ffpp"}
    assert (made["started"], made["seconds"]) == ("1970-01-01T00:16:40+00:00", 12.5)
    for package in ("torch", "torchvision", "timm", "lightning", "numpy", "opencv-python", "av", "sr-deepfake"):
        assert made["versions"][package]
    provenance.write_provenance(tmp_path, made)
    assert provenance.read_provenance(tmp_path) == made


def test_a_folder_without_provenance_says_which_have_it(tmp_path):
    damaged = ["{", "[]", '{"program": "train"}', '{"program": "train", "overrides": "model=swin"}']
    damaged.append('{"program": "x; rm", "overrides": []}')
    for number, content in enumerate(damaged):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "provenance.json").write_text(content)
    for folder in (*tmp_path.iterdir(), tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"outputs/results or"):
            provenance.read_provenance(folder)
