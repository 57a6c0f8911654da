import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from video_files import clips, frames_of

from sr_deepfake.data.extraction import face_search
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.summary import ExtractionError
from sr_deepfake.data.manifest import read_manifest
from sr_deepfake.data.sources.folder import Folder
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=2, dataset="folder")
SPLITS = ("train", "val", "test")


def photo(path: Path, image: np.ndarray, *options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done, content = cv2.imencode(path.suffix, image[:, :, ::-1], list(options))
    assert done
    path.write_bytes(content.tobytes())


def person(number: int) -> np.ndarray:
    """One frame of a person, with a border that is not square."""
    return cv2.copyMakeBorder(frames_of(clips()[number])[0], 10, 25, 40, 17, cv2.BORDER_REFLECT)


def make_root(root: Path) -> Path:
    """For each split and class a photo, and a clip in train."""
    for place, (split, kind) in enumerate((split, kind) for split in SPLITS for kind in ("real", "fake")):
        photo(root / split / kind / "photo 1.png", person(place))
    for place, kind in enumerate(("real", "fake")):
        shutil.copy(clips()[10 + place], root / "train" / kind / "clip.mp4")
    return root


def source(root: Path | None, crops: Path, **options) -> Folder:
    return Folder(
        None if root is None else str(root),
        options.pop("settings", SETTINGS),
        crops=str(crops),
        workers=0,
        **options,
    )


def prepare(root: Path, crops: Path, **options):
    return source(root, crops, **options).prepare(progress=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def crops(root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("crops")
    prepare(root, out)
    return out


def test_photos_and_videos_give_crops_like_those_of_ffpp(root, crops):
    rows = read_manifest(crops)
    assert rows.groupby(["split", "method"]).size().to_dict() == {
        ("train", "pristine"): 3, ("train", "fake"): 3, ("val", "pristine"): 1, ("val", "fake"): 1,
        ("test", "pristine"): 1, ("test", "fake"): 1,
    }  # fmt: skip
    files = pd.read_csv(crops / "files.csv").set_index("video_id")["file"]
    for row in rows.itertuples():
        path = root / files[row.video_id]
        frame = frames_of(path)[row.frame] if path.suffix == ".mp4" else cv2.imread(str(path))[:, :, ::-1]
        assert (row.frame_height, row.frame_width) == frame.shape[:2]
        assert row.side % 24 == 0
        crop = frame[row.crop_top : row.crop_top + row.side, row.crop_left : row.crop_left + row.side]
        np.testing.assert_array_equal(cv2.imread(str(crops / row.path))[:, :, ::-1], crop)
        assert row.crop_left < (row.box_left + row.box_right) / 2 < row.crop_left + row.side
        assert row.probability > 0.8


def test_pictures_are_taken_as_they_are(root, tmp_path):
    summary = prepare(root, tmp_path, crop=False)
    assert summary.extraction.faces == 10
    for row in read_manifest(tmp_path).itertuples():
        assert row.side == min(row.frame_width, row.frame_height) // 24 * 24
        assert abs(row.crop_left - (row.frame_width - row.side) / 2) <= 0.5
        assert abs(row.crop_top - (row.frame_height - row.side) / 2) <= 0.5
        assert np.isnan(row.probability)


def test_a_second_run_does_only_what_is_new(root, crops, tmp_path, monkeypatch):
    mine, out = shutil.copytree(root, tmp_path / "root"), shutil.copytree(crops, tmp_path / "crops")
    before = (out / "faces.parquet").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(face_search, "read_photo", lambda *_: pytest.fail("a photo was read again"))
        patch.setattr(face_search, "read_frames", lambda *_: pytest.fail("a video was read again"))
        assert prepare(mine, out).extraction.reused == 8
    assert (out / "faces.parquet").read_bytes() == before
    photo(mine / "val" / "real" / "new.jpg", person(20))
    summary = prepare(mine, out)
    assert (summary.extraction.extracted, summary.extraction.reused) == (1, 8)
    # What is not in the folder any more, or in another split now, is not in the manifest either.
    shutil.move(mine / "val" / "real" / "new.jpg", mine / "test" / "real" / "new.jpg")
    (mine / "train" / "real" / "clip.mp4").unlink()
    summary = prepare(mine, out)
    rows = read_manifest(out)
    assert summary.extraction.manifest_faces == len(rows) == 9
    assert rows.groupby("split").size().to_dict() == {"train": 4, "val": 2, "test": 3}


def test_shards_make_the_same_manifest(root, crops, tmp_path):
    for shard in (1, 0):
        source(root, tmp_path).prepare(shard=(shard, 2), progress=False)
    assert (tmp_path / "faces.parquet").read_bytes() == (crops / "faces.parquet").read_bytes()


def test_what_is_skipped_is_listed_with_its_reason(root, crops, tmp_path):
    mine, out = shutil.copytree(root, tmp_path / "root"), shutil.copytree(crops, tmp_path / "crops")
    photo(mine / "train" / "real" / "grey.png", np.full((90, 90, 3), 128, np.uint8))
    photo(mine / "train" / "real" / "tiny.png", person(30)[:20])
    (mine / "val" / "fake" / "broken\n.jpg").write_text("no photo")
    (mine / "val" / "fake" / "empty.mp4").write_bytes(b"")
    (mine / "val" / "fake" / "notes.txt").write_bytes(b"")
    summary = prepare(mine, out)
    assert summary.extraction.skipped == {"no face": 2, "unreadable": 1, "empty file": 1}
    skipped = pd.read_csv(out / "skipped.csv", keep_default_na=False).query("frame == ''")
    assert sorted(skipped["reason"]) == ["empty file", "no face", "no face", "unreadable"]
    files = pd.read_csv(out / "files.csv").set_index("file")
    assert files.loc["val/fake/broken\\n.jpg", "faces"] == 0
    assert files["faces"].sum() == 10
    shown = summary.render()
    assert "1 .txt" in shown
    assert "Files skipped: 4" in shown
    assert "train  real 4 files, 3 faces;  fake 2 files, 3 faces" in shown
    assert "given by the folder" in shown
    whole = prepare(mine, tmp_path / "whole", crop=False)
    assert whole.extraction.skipped == {"unreadable": 1, "empty file": 1, "frame too small": 1}


def test_a_class_without_faces_is_an_error_that_names_it(root, crops, tmp_path):
    mine, out = shutil.copytree(root, tmp_path / "root"), shutil.copytree(crops, tmp_path / "crops")
    photo(mine / "val" / "fake" / "photo 1.png", np.full((90, 90, 3), 128, np.uint8))
    with pytest.raises(
        ExtractionError, match=r"1 fake files of the val split .*val/fake/photo 1\.png.*skipped\.csv"
    ):
        prepare(mine, out)


def test_leaks_are_found_told_refused_or_dropped(root, crops, tmp_path, caplog):
    mine, out = shutil.copytree(root, tmp_path / "root"), shutil.copytree(crops, tmp_path / "crops")
    shutil.copy(mine / "test" / "real" / "photo 1.png", mine / "train" / "real" / "copy.png")
    half = cv2.resize(person(3), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)  # of val/fake
    photo(mine / "train" / "fake" / "half.jpg", half, cv2.IMWRITE_JPEG_QUALITY, 60)
    summary = prepare(mine, out)
    leaks = pd.read_csv(out / "leaks.csv")
    assert leaks[["kind", "file", "other_file"]].to_numpy().tolist() == [
        ["identical", "train/real/copy.png", "test/real/photo 1.png"],
        ["similar", "train/fake/half.jpg", "val/fake/photo 1.png"],
    ]
    assert leaks["distance"].tolist()[0] == 0
    assert "2 pairs of files (1 identical, 1 similar)" in summary.render()
    assert "data.leaks=drop" in caplog.text
    with pytest.raises(UserError, match=r"data\.leaks=drop"):
        prepare(mine, out, leaks="error")
    kept = source(mine, out, leaks="drop").faces(["fake"]).rows
    everything = source(mine, out).faces(["fake"]).rows
    assert len(everything) == 12
    assert kept["face_id"].tolist() == read_manifest(crops)["face_id"].tolist()


def test_faces_make_themselves_and_outlive_the_folder(root, tmp_path):
    mine = shutil.copytree(root, tmp_path / "root")
    out = tmp_path / "crops"
    made = source(mine, out).faces(["fake"])
    assert (made.name, made.folder) == ("folder", out)
    shutil.rmtree(mine)
    for gone in (mine, None):
        assert source(gone, out).faces(["fake"]).rows.equals(made.rows)
    with pytest.raises(UserError, match="There is no folder"):
        prepare(mine, out)


def test_two_folders_and_two_ways_never_share_crops(tmp_path):
    folders = {
        Folder(str(tmp_path / name), SETTINGS, crop=crop, outputs="o").crops
        for name in ("a/x y", "b/x y")
        for crop in (True, False)
    }
    assert len(folders) == 4
    assert all(folder.is_relative_to(Path("o/faces")) and " " not in str(folder) for folder in folders)


def test_settings_without_a_crop_are_others():
    assert ExtractionSettings(crop=False).fingerprint != ExtractionSettings().fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"leaks": "keep"}, r"data\.leaks='keep' is not a choice"),
        ({"fractions": [1, 1, 1]}, r"data\.fractions"),
        ({"identity": "("}, r"data\.identity"),
    ],
)
def test_options_that_are_not_understood(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        source(tmp_path, tmp_path, **options)


def test_the_folder_has_to_be_named(root, tmp_path):
    with pytest.raises(UserError, match=r"data\.root=/path"):
        Folder(None, SETTINGS)
    with pytest.raises(UserError, match=r"data\.root=/path"):
        source(None, tmp_path).prepare()
    with pytest.raises(UserError, match="not FaceSwap: give forgery=fake"):
        source(root, tmp_path).faces(["FaceSwap"])
