import os
from pathlib import Path

import pytest

from sr_deepfake.data.manifest import DataNotFoundError
from sr_deepfake.data.sources.folder_files import SplitRule, list_files
from sr_deepfake.system.errors import UserError


def make(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def both(*names: str) -> list[str]:
    return [f"{kind}/{name}" for kind in ("real", "fake") for name in names]


NAMES = [f"{number:03d}.jpg" for number in range(40)]


def test_classes_are_told_by_the_folders(tmp_path):
    files = list_files(make(tmp_path, *both(*NAMES)), SplitRule())
    assert len(files.videos) == 80
    for video in files.videos:
        fake = video.path.parent.name == "fake"
        assert (video.label, video.method) == ((1, "fake") if fake else (0, "pristine"))
        assert video.video_id.startswith(f"{video.method}/{video.path.stem}-")
    assert {video.split for video in files.videos} == {"train", "val", "test"}
    assert files.given == ()


@pytest.mark.parametrize(
    ("real", "fake"),
    [("Real", "FAKE"), ("0_real", "1_fake"), ("Pristine", "manipulated"), ("original", "Forged")],
)
def test_other_names_of_the_classes(tmp_path, real, fake):
    make(tmp_path, *(f"{name}/{file}" for name in (real, fake) for file in NAMES))
    assert sum(video.label for video in list_files(tmp_path, SplitRule()).videos) == 40


@pytest.mark.parametrize(
    ("train", "val", "test"), [("train", "val", "test"), ("Training", "Validation", "testing")]
)
def test_a_split_of_the_folder_stays(tmp_path, train, val, test):
    make(tmp_path, *(f"{split}/{file}" for split in (train, val, test) for file in both("1.png", "a/2.png")))
    files = list_files(tmp_path, SplitRule())
    assert files.given == ("train", "val", "test")
    told = {train: "train", val: "val", test: "test"}
    assert all(video.split == told[video.path.relative_to(tmp_path).parts[0]] for video in files.videos)
    # Files of one name are other people in each split, and the same person in one split.
    assert len({video.target for video in files.videos}) == 6


def test_val_is_taken_from_train_where_there_is_none(tmp_path, caplog):
    make(tmp_path, *(f"{split}/{file}" for split in ("train", "test") for file in both(*NAMES)))
    files = list_files(tmp_path, SplitRule())
    assert "taken from train/" in caplog.text
    of_test = [video for video in files.videos if video.path.is_relative_to(tmp_path / "test")]
    assert {video.split for video in of_test} == {"test"}
    assert len(of_test) == 80
    others = [video for video in files.videos if video not in of_test]
    assert {video.split for video in others} == {"train", "val"}
    split_of = {(video.path.name, video.split) for video in others}
    assert len(split_of) == len(NAMES)  # real and fake files of one name go together


def test_a_test_split_alone_is_enough_to_evaluate(tmp_path):
    files = list_files(make(tmp_path, *(f"test/{file}" for file in both("1.png"))), SplitRule())
    assert {video.split for video in files.videos} == {"test"}


def test_what_is_in_one_sub_folder_stays_together(tmp_path):
    make(tmp_path, *both(*(f"person {n % 20}/{n % 3}/{n}.png" for n in range(200))))
    files = list_files(tmp_path, SplitRule())
    assert len({(video.target, video.split) for video in files.videos}) == 20


def test_identities_that_meet_in_a_fake_stay_together(tmp_path):
    real = [f"real/{a:03d}.mp4" for a in range(40)]
    fake = [f"fake/Deepfakes/{a:03d}_{a ^ 1:03d}.mp4" for a in range(40)]
    make(tmp_path, *real, *fake)
    files = list_files(tmp_path, SplitRule(identity=r"(\d{3})(?:_(\d{3}))?[.]mp4$"))
    split_of = {}
    for video, identities in zip(files.videos, files.identities, strict=True):
        for identity in identities:
            assert split_of.setdefault(identity, video.split) == video.split
    assert len(split_of) == 40


def test_names_are_data(tmp_path):
    names = [
        "-rf.png",
        "a b.png",
        "a_b.png",
        "a'b\".png",
        "50%=${x}.jpg",
        "new\nline.png",
        "größe.png",
        "=1.PNG",
        "A b.png",
    ]
    make(tmp_path, *both(*names, *NAMES))
    path = os.fsencode(tmp_path / "fake") + b"/\xff\xfe.png"
    Path(os.fsdecode(path)).write_bytes(b"")
    files = list_files(tmp_path, SplitRule())
    ids = [video.video_id for video in files.videos]
    assert len({name.lower() for name in ids}) == len(ids) == 2 * (len(names) + len(NAMES)) + 1
    for name in ids:
        kind, stem = name.split("/")
        assert kind in ("pristine", "fake")
        assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        assert stem[0] not in ".-"
    assert all(files.name(video).isprintable() for video in files.videos)
    assert {video.path for video in files.videos} == {path for path in tmp_path.rglob("*") if path.is_file()}


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path):
    make(tmp_path, *both(*NAMES, "notes.txt", "README", ".DS_Store", ".cache/1.png", "x.heic"))
    files = list_files(tmp_path, SplitRule())
    assert len(files.videos) == 80
    assert files.ignored == {".txt": 2, "no suffix": 2, ".heic": 2}


def test_linked_folders_are_followed_once(tmp_path):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    make(root, *both(*NAMES))
    make(elsewhere, "more.png")
    (root / "real" / "link").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(root / "real")
    assert len(list_files(root, SplitRule()).videos) == 81


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "holds neither: data.root=DIR names a folder with real/ and fake/"),
        (["real/a.png", "fake/a.txt"], "fake holds no photo and no video"),
        (["real/a.png", "Original/a.png", "fake/a.png"], "Original/ and real/, which both stand for real"),
        ([*both("a.png"), "train/real/a.png", "train/fake/a.png"], "side by side"),
        (["train/real/a.png", "train/fake/a.png"], "gives only train/ of a split"),
        ([f"{s}/{f}" for s in ("train", "test") for f in both("a.png")], "Add files"),
        (
            [f"{s}/{f}" for s in ("train", "test") for f in both("a.png")] + ["val/real/a.png"],
            "val has no folder fake/",
        ),
        (both("a.png"), "1 groups of files"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, files, message):
    with pytest.raises(UserError) as told:
        list_files(make(tmp_path, *files), SplitRule())
    assert message in str(told.value)
    assert str(tmp_path) in str(told.value) or "Add files" in message or "groups" in message


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"There is no folder .*nowhere: data\.root=DIR"):
        list_files(tmp_path / "nowhere", SplitRule())


def test_an_identity_that_does_not_fit_is_named(tmp_path):
    make(tmp_path, *both(*NAMES, "anna.jpg"))
    with pytest.raises(UserError, match=r"data\.identity='\^.*' does not match 'anna\.jpg'"):
        list_files(tmp_path, SplitRule(identity="^([0-9]{3})"))
    with pytest.raises(UserError, match="no regular expression"):
        SplitRule(identity="^([0-9]{3}")


def test_a_test_set_may_be_of_one_class(tmp_path, caplog):
    make(tmp_path / "one", *(f"fake/{name}" for name in NAMES))
    files = list_files(tmp_path / "one", SplitRule())
    assert {(video.split, video.label) for video in files.videos} == {("test", 1)}
    assert "All files are of one class: they are a test set" in caplog.text

    splits = [f"{s}/{f}" for s in ("train", "val") for f in both("a.png")]
    make(tmp_path / "two", *splits, "test/real/a.png")
    files = list_files(tmp_path / "two", SplitRule())
    assert {video.label for video in files.videos if video.split == "test"} == {0}
