"""A data set: its files are listed by a function, its faces are found once and kept."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from video_files import clips, frames_of

from sr_deepfake.data.extraction import face_search
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import VIDEOS, read_manifest
from sr_deepfake.data.sources import folder, listing
from sr_deepfake.data.sources.data_set import DataSet
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=2)
SPLITS = ("train", "val", "test")


def photo(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def person(number: int) -> np.ndarray:
    """One frame of a person, with a border that is not square."""
    return cv2.copyMakeBorder(frames_of(clips()[number])[0], 10, 25, 40, 17, cv2.BORDER_REFLECT)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """For each split and class a photo, and a clip in train."""
    made = tmp_path_factory.mktemp("root")
    for place, (split, kind) in enumerate((split, kind) for split in SPLITS for kind in ("real", "fake")):
        photo(made / split / kind / "photo 1.png", person(place))
    for place, kind in enumerate(("real", "fake")):
        shutil.copy(clips()[10 + place], made / "train" / kind / "clip.mp4")
    return made


def source(root: Path | None, crops: Path | None, **options) -> DataSet:
    given = {name: str(path) for name, path in (("root", root), ("crops", crops)) if path is not None}
    usual = {"root": None, "settings": SETTINGS, "leaks": "warn", "workers": 0, "methods": ["fake"]}
    return DataSet("folder", folder.videos, **(usual | given | options))


def prepare(root: Path, crops: Path | None, **options):
    return source(root, crops, **options).prepare(progress=False)


@pytest.fixture(scope="module")
def crops(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("crops")
    prepare(root, out)
    return out


@pytest.fixture
def mine(root, crops, tmp_path):
    """A copy of the folder and of its faces."""
    copied, out = shutil.copytree(root, tmp_path / "root"), shutil.copytree(crops, tmp_path / "crops")
    (out / "data_set.json").unlink()
    prepare(copied, out)
    return copied, out


def test_photos_and_videos_give_square_crops(root, crops):
    rows = read_manifest(crops)
    counts = {(split, method): 1 for split in ("val", "test") for method in ("pristine", "fake")}
    counts |= {("train", "pristine"): 3, ("train", "fake"): 3}
    assert rows.groupby(["split", "method"]).size().to_dict() == counts
    assert source(root, crops, methods=None).methods == ["fake"]  # those of the table
    files = pd.read_csv(crops / VIDEOS).set_index("video_id")["path"]
    for row in rows[rows["video_id"].str.contains("photo")].itertuples():
        frame = cv2.imread(files[row.video_id])[:, :, ::-1]
        assert (row.frame_height, row.frame_width) == frame.shape[:2]
        crop = frame[row.crop_top : row.crop_top + row.side, row.crop_left : row.crop_left + row.side]
        np.testing.assert_array_equal(cv2.imread(str(crops / row.path))[:, :, ::-1], crop)


def test_pictures_can_be_taken_as_they_are(root, tmp_path):
    assert prepare(root, tmp_path, crop=False).faces == 10
    for row in read_manifest(tmp_path).itertuples():
        assert row.side == min(row.frame_width, row.frame_height) // 24 * 24
        assert abs(row.crop_left - (row.frame_width - row.side) / 2) <= 0.5
        assert np.isnan(row.probability)
    assert source(root, tmp_path, crop=False).faces(["fake"]).margin is None
    assert source(root, None).margin == 0.1
    assert source(root, None, crop=False).crops != source(root, None).crops


def test_a_second_run_does_only_what_is_new(mine, monkeypatch):
    root, out = mine
    before = (out / "faces.parquet").read_bytes()
    with monkeypatch.context() as patch:
        for reader in ("read_photo", "read_frames"):
            patch.setattr(face_search, reader, lambda *_: pytest.fail("a file was read again"))
        assert prepare(root, out).reused == 8
        assert (out / "faces.parquet").read_bytes() == before
        # Another split is made when faces are read: nothing is extracted again.
        shutil.move(root / "train" / "real" / "clip.mp4", root / "val" / "real" / "clip.mp4")
        drawn = {row.video_id: row.split for row in source(root, out).faces(["fake"]).rows.itertuples()}
    assert sum(split == "val" for split in drawn.values()) >= 2
    photo(root / "val" / "real" / "new.jpg", person(20))
    assert prepare(root, out).extracted >= 1
    (root / "train" / "fake" / "clip.mp4").unlink()
    assert len(source(root, out).faces(["fake"]).rows) == 9  # what is not in the folder any more is not used


def test_another_seed_of_the_split_finds_no_face_again(tmp_path, monkeypatch):
    root, out = tmp_path / "root", tmp_path / "out"
    for number in range(8):
        for kind in ("real", "fake"):
            photo(root / kind / f"{number}.png", np.full((48, 48, 3), number, np.uint8))
    options = {"automatic": True, "crop": False}
    before = source(root, out, **options).faces(["fake"]).rows
    monkeypatch.setattr(face_search, "read_photo", lambda *_: pytest.fail("a photo was read again"))
    after = source(root, out, **options, split_seed=1).faces(["fake"]).rows
    again = source(root, out, **options).faces(["fake"]).rows
    assert set(before["face_id"]) == set(after["face_id"])
    assert not before["split"].equals(after.set_index("face_id").loc[before["face_id"], "split"].reset_index(drop=True))
    assert again.equals(before)


def test_a_drawn_split_depends_on_the_list_alone_and_each_has_each_method(tmp_path):
    """Faces of another method, or its unreadable files, must not make test files of validation files."""
    lines = ["path,label,method,target"]
    for number in range(16):
        lines += [f"r{number}.png,0,,{number}", f"f{number}.png,1,{'AB'[number % 2]},{number}"]
        for kind in "rf":
            photo(tmp_path / f"{kind}{number}.png", np.full((48, 48, 3), number, np.uint8))
    for broken in ("r1", "r2", "f9"):
        (tmp_path / f"{broken}.png").write_text("no photo")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    options = {"listing": listing.videos, "root": str(tmp_path / "list.csv"), "methods": None, "workers": 0}
    csv = DataSet("csv", crops=str(tmp_path / "out"), crop=False, automatic=True, split_seed=3, **options)
    found = [csv.faces(methods).rows.set_index("face_id")["split"] for methods in (["A"], ["B"], ["A"])]
    assert found[1].equals(found[2])
    assert found[1].loc[found[0].index].equals(found[0])
    assert csv.faces(["A"]).rows.groupby("method")["split"].nunique().to_dict() == {"pristine": 3, "A": 3, "B": 3}


def test_a_copy_of_a_video_in_another_split_is_found_though_other_frames_are_drawn(mine):
    root, out = mine
    shutil.copy(root / "train" / "fake" / "clip.mp4", root / "test" / "fake" / "copy 2.mp4")
    prepare(root, out)
    rows = source(root, out).faces(["fake"]).rows
    assert not rows["sha256"].duplicated().any()
    (leak,) = pd.read_csv(out / "leaks.csv").itertuples()
    assert (leak.kind, leak.video_id[:10], leak.other_video_id[:11]) == ("picture", "fake/clip-", "fake/copy_2")
    (out / "sources.csv").unlink()  # as an earlier version left it
    source(root, out).faces(["fake"])
    assert pd.read_csv(out / "leaks.csv").empty


def test_videos_of_other_shards_are_counted_with_the_command_that_reads_them(root, tmp_path, caplog):
    for shard, message in (((0, 2), "4 of 8 listed videos were not read yet"), ((1, 2), "")):
        source(root, tmp_path).prepare(shard=shard, progress=False)
        caplog.clear()
        source(root, tmp_path).faces(["fake"])
        assert message in caplog.text
        assert (f"`python -m sr_deepfake.prepare data=folder data.root={root}`" in caplog.text) == bool(message)


def test_what_is_skipped_is_listed_with_its_reason(mine):
    root, out = mine
    photo(root / "train" / "real" / "grey.png", np.full((90, 90, 3), 128, np.uint8))
    (root / "val" / "fake" / "broken\n.jpg").write_text("no photo")
    (root / "val" / "fake" / "empty.mp4").write_bytes(b"")
    reasons = {"no face": 1, "unreadable": 1, "empty file": 1}
    assert prepare(root, out).skipped == reasons
    skipped = pd.read_csv(out / "skipped.csv", keep_default_na=False).query("frame == ''")
    assert skipped["reason"].value_counts().to_dict() == reasons


def test_settings_that_find_no_face_leave_none_of_others(mine):
    """The old manifest under the new settings' name would name pictures that are gone."""
    root, out = mine
    with pytest.raises(UserError, match="Not one face was extracted"):
        prepare(root, out, settings=ExtractionSettings(frames=2, min_face=5_000))
    assert not (out / "faces.parquet").exists()
    with pytest.raises(UserError, match="there are no face crops"):
        source(root, out).faces(["fake"])


def test_faces_of_another_folder_or_other_settings_are_refused(mine, tmp_path):
    root, out = mine
    other = shutil.copytree(root, tmp_path / "other")
    for automatic in (False, True):
        with pytest.raises(UserError, match=r"were found in .*root, not in data\.root=.*other; name another folder"):
            source(other, out, automatic=automatic).faces(["fake"])
    assert source(root, None).crops != source(other, None).crops  # each has its own, where none is named
    with pytest.raises(UserError, match=r"frames|settings"):
        source(root, out, settings=ExtractionSettings(frames=5)).faces(["fake"])


def test_faces_outlive_their_folder(mine):
    root, out = mine
    made = source(root, out).faces(["fake"])
    assert (made.name, made.folder) == ("folder", out)
    shutil.rmtree(root)
    root.mkdir()  # as FaceForensics++ without its videos
    pd.testing.assert_frame_equal(source(root, out).faces(["fake"]).rows, made.rows, check_dtype=False)
    with pytest.raises(UserError, match="holds neither real/ nor fake/"):
        prepare(root, out)
    root.rmdir()
    for gone in (root, None):
        pd.testing.assert_frame_equal(source(gone, out).faces(["fake"]).rows, made.rows, check_dtype=False)
    with pytest.raises(UserError, match=r"data\.root=.*does not exist"):
        prepare(root, out)


def test_finished_faces_on_a_share_that_cannot_be_written_are_read(mine, monkeypatch):
    root, out = mine
    before = source(root, out, automatic=True).faces(["fake"]).rows
    listed = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the superuser may write anywhere
    pd.testing.assert_frame_equal(source(root, out, automatic=True).faces(["fake"]).rows, before)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == listed


def test_without_a_root_the_only_faces_are_found(root, tmp_path):
    options = {"outputs": str(tmp_path / "outputs"), "crop": False}
    prepare(root, None, **options)
    assert source(None, None, **options).crops == source(root, None, **options).crops
    (tmp_path / "link").symlink_to(root)
    prepare(tmp_path / "link", None, **options)
    assert len(source(None, None, **options).faces(["fake"]).rows) == 10  # one root by two names
    prepare(shutil.copytree(root, tmp_path / "other"), None, **options)
    with pytest.raises(UserError, match=r"faces of 2 folders .*choose with data\.root="):
        source(None, None, **options)


def test_missing_faces_and_wrong_options_are_named(tmp_path):
    with pytest.raises(UserError, match=r"sr_deepfake\.prepare data=folder data\.root=/my/own data\.compression=c23"):
        source(Path("/my/own"), tmp_path, compression="c23").faces(["fake"])
    with pytest.raises(UserError, match=r"data=folder needs data\.root="):
        source(None, tmp_path).prepare()
    with pytest.raises(UserError, match=r"data=folder: forgery='FaceSwap' is not a choice\. Choices: fake"):
        source(None, tmp_path).faces(["FaceSwap"])
    with pytest.raises(UserError, match=r"data\.leaks='keep' is not a choice"):
        source(None, tmp_path, leaks="keep")
    with pytest.raises(UserError, match=r"data\.fractions"):
        source(None, tmp_path, fractions=[1, 1, 1])
