import os
import re
from pathlib import Path

import pytest
from empty_files import put

from sr_deepfake.data.manifest import DataNotFoundError
from sr_deepfake.data.sources.folder import videos
from sr_deepfake.system.errors import UserError


def both(*names: str) -> list[str]:
    return [f"{kind}/{name}" for kind in ("real", "fake") for name in names]


NAMES = [f"{number:03d}.jpg" for number in range(40)]


@pytest.mark.parametrize(
    ("real", "fake"),
    [("real", "fake"), ("Real", "FAKE"), ("0_real", "1_fake"), ("Pristine", "manipulated"), ("original", "Forged")],
)
def test_folders_are_the_classes(tmp_path, real, fake):
    table = videos(put(tmp_path, *(f"{name}/{file}" for name in (real, fake) for file in NAMES)))
    assert len(table) == 80
    for row in table.itertuples():
        assert row.method == ("fake" if Path(row.path).parent.name == fake else "pristine")
        assert row.video_id.startswith(f"{row.method}/{Path(row.path).stem}-")
    assert set(table["split"]) == {""}  # drawn when faces are read
    assert table.groupby("cluster").size().tolist() == [2] * 40  # a name is a person


@pytest.mark.parametrize(("train", "val", "test"), [("train", "val", "test"), ("Training", "Validation", "testing")])
def test_a_split_of_the_folder_stays(tmp_path, train, val, test):
    put(tmp_path, *(f"{split}/{file}" for split in (train, val, test) for file in both("1.png", "a/2.png")))
    table = videos(tmp_path)
    names = {train: "train", val: "val", test: "test"}
    assert all(row.split == names[Path(row.path).relative_to(tmp_path).parts[0]] for row in table.itertuples())
    # Files of one name are other people in each split, and the same person in one split.
    assert table["target"].nunique() == 6


def test_train_is_divided_where_there_is_no_val(tmp_path):
    table = videos(put(tmp_path, *(f"{split}/{file}" for split in ("train", "test") for file in both(*NAMES))))
    of_test = table["path"].str.startswith(str(tmp_path / "test"))
    assert set(table["split"][of_test]) == {"test"}
    assert set(table["split"][~of_test]) == {""}


def test_identities_that_meet_in_a_fake_stay_together(tmp_path):
    files = [f"{name}.mp4" for a in range(40) for name in (f"real/{a:03d}", f"fake/Deepfakes/{a:03d}_{a ^ 1:03d}")]
    table = videos(put(tmp_path, *files), identity=r"(\d{3})(?:_(\d{3}))?[.]mp4$")
    assert table.groupby("cluster").size().tolist() == [4] * 20


def test_names_are_data(tmp_path):
    names = [
        "-rf.png", "a b.png", "a_b.png", "a'b\".png", "50%=${x}.jpg", "new\nline.png", "größe.png", "=1.PNG", "A b.png",
    ]  # fmt: skip
    put(tmp_path, *both(*names, *NAMES))
    Path(os.fsdecode(os.fsencode(tmp_path / "fake") + b"/\xff\xfe.png")).write_bytes(b"")
    table = videos(tmp_path)
    ids = list(table["video_id"])
    assert len({name.lower() for name in ids}) == len(ids) == 2 * (len(names) + len(NAMES)) + 1
    assert all(re.fullmatch("(pristine|fake)/[A-Za-z0-9_][A-Za-z0-9._-]*", name) for name in ids)
    assert {Path(path) for path in table["path"]} == {path for path in tmp_path.rglob("*") if path.is_file()}


def test_other_files_are_counted_and_hidden_ones_are_not(tmp_path, caplog):
    table = videos(put(tmp_path, *both(*NAMES, "notes.txt", "README", ".DS_Store", ".cache/1.png", "x.heic")))
    assert len(table) == 80
    assert "Not photos or videos, and left out: 2 .heic, 2 .txt, 2 no suffix" in caplog.text


def test_linked_folders_are_followed_once(tmp_path):
    root, other = put(tmp_path / "root", *both(*NAMES)), put(tmp_path / "other", "more.png")
    (root / "real" / "link").symlink_to(other)
    (other / "loop").symlink_to(root / "real")
    assert len(videos(root)) == 81


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "with real/ and fake/ in it"),
        (["training_real/a.png", "training_fake/a.png"], "but training_fake/, training_real/, whose names say neither"),
        (["a/b/train/real/a.png", "a/b/train/fake/a.png"], "(but {root}/a/b does: data.root={root}/a/b)"),
        (["faces.zip"], "faces.zip, which has to be unpacked first"),
        (["real/a.png", "fake/a.txt"], "fake holds no photo and no video"),
        (["real/a.png", "Original/a.png", "fake/a.png"], "Original/ and real/, which both mean real"),
        ([*both("a.png"), "train/real/a.png", "train/fake/a.png"], "holds both classes"),
        (["train/real/a.png", "train/fake/a.png"], "train"),
        (
            [f"{s}/{f}" for s in ("train", "test") for f in both("a.png")] + ["val/real/a.png"],
            "val has no folder fake/",
        ),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(tmp_path, files, message):
    with pytest.raises(UserError) as error:
        videos(put(tmp_path, *files))
    assert message.format(root=tmp_path) in str(error.value)
    assert str(tmp_path) in str(error.value)
    neither = "holds neither real/" in str(error.value)
    assert neither == ("data=csv data.list=FILE" in str(error.value))
    assert isinstance(error.value, DataNotFoundError) or not neither


@pytest.mark.parametrize("name", ["{video}_{frame:04}.png", "{video}-frame_{frame}.jpg", "vid{video}_x_{frame}.png"])
def test_videos_of_frames_in_one_folder_follow_from_their_names(tmp_path, caplog, name):
    caplog.set_level("INFO")
    frames = [name.format(video=f"{video:03}a", frame=frame) for video in range(8) for frame in range(5)]
    table = videos(put(tmp_path, *both(*frames)))
    assert table["target"].nunique() == 8
    assert set(table.groupby("target").size()) == {10}  # five frames of each class
    assert "40 pictures are frames of 8 videos" not in caplog.text
    assert "80 pictures are frames of 8 videos" in caplog.text


@pytest.mark.parametrize(
    "names", [NAMES, [f"img_{number:04}.jpg" for number in range(40)], [f"{n}_{n + 1}.jpg" for n in range(40)]]
)
def test_photos_stay_photos_whatever_numbers_they_have(tmp_path, names):
    assert videos(put(tmp_path, *both(*names)))["target"].nunique() == 40


def test_an_identity_that_does_not_fit_is_named(tmp_path):
    put(tmp_path, *both(*NAMES, "anna.jpg"))
    with pytest.raises(UserError, match=r"data\.identity='\^.*' does not match 'anna\.jpg'"):
        videos(tmp_path, identity="^([0-9]{3})")
    with pytest.raises(UserError, match="is not a regular expression"):
        videos(tmp_path, identity="^([0-9]{3}")


def test_a_test_set_may_be_of_one_class(tmp_path):
    assert set(videos(put(tmp_path / "one", *(f"fake/{name}" for name in NAMES)))["label"]) == {1}
    splits = [f"{s}/{f}" for s in ("train", "val") for f in both("a.png")]
    table = videos(put(tmp_path / "two", *splits, "test/real/a.png"))
    assert set(table["label"][table["split"] == "test"]) == {0}
