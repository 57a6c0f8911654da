"""Celeb-DF, DFDC and DeepFakeDetection, each laid out small, as people have them."""

import json
from pathlib import Path

import pytest
from empty_files import put

from sr_deepfake.data.manifest import DataNotFoundError
from sr_deepfake.data.sources import celebdf, dfd, dfdc
from sr_deepfake.system.errors import UserError


def splits_of(table):
    return dict(zip(table["video_id"], table["split"], strict=True))


@pytest.mark.parametrize(("between", "youtube"), [("", "YouTube-real"), ("videos/", "Youtube-real")])
def test_celeb_df_takes_its_official_test_list(tmp_path, between, youtube):
    put(tmp_path, f"Celeb-real/{between}._id0_0001.mp4", f"Celeb-real/{between}id0_0001.avi", *(f"{name}.mp4" for name in (
        f"Celeb-real/{between}id0_0001", f"Celeb-real/{between}id1_0001", f"{youtube}/{between}00001",
        f"Celeb-synthesis/{between}id0_id1_0001", f"Celeb-synthesis/{between}id1_id0_0001",
    )))  # fmt: skip
    (tmp_path / "List_of_testing_videos.txt").write_text(
        f"1 Celeb-real/id0_0001.mp4\n0 Celeb-synthesis/id0_id1_0001.mp4\n1 {youtube.lower()}/00001.mp4\n",
        encoding="utf-8-sig",
    )
    table = celebdf.videos(tmp_path)
    assert len(table) == 5
    assert {name for name, split in splits_of(table).items() if split == "test"} == {
        "pristine/Celeb-real-id0_0001", f"pristine/{youtube}-00001", "Celeb-synthesis/id0_id1_0001",
    }  # fmt: skip
    row = table.set_index("video_id").loc["Celeb-synthesis/id0_id1_0001"]
    assert row[["label", "target", "source", "cluster"]].tolist() == [1, "id0", "id1", "id0"]


def test_celeb_df_on_a_disk_that_ignores_case_is_listed_once(tmp_path, monkeypatch):
    put(tmp_path, "Youtube-real/00001.mp4", "List_of_testing_videos.txt")
    (tmp_path / "List_of_testing_videos.txt").write_text("1 YouTube-real/00001.mp4\n")
    folder = tmp_path / "YouTube-real"
    folder.symlink_to(tmp_path / "Youtube-real")  # the other name finds the same files there
    monkeypatch.setattr(Path, "iterdir", lambda self: iter([tmp_path / "Youtube-real"]))
    assert splits_of(celebdf.videos(tmp_path)) == {"pristine/Youtube-real-00001": "test"}


def test_what_celeb_df_lacks_is_said(tmp_path, caplog):
    with pytest.raises(DataNotFoundError, match="has no video in Celeb-real"):
        celebdf.videos(tmp_path)
    put(tmp_path, "Celeb-real/id0_0001.mp4", "Celeb-synthesis/id0_id1_0001.mp4")
    with pytest.raises(DataNotFoundError, match=r"List_of_testing_videos\.txt is missing"):
        celebdf.videos(tmp_path)
    (tmp_path / "List_of_testing_videos.txt").write_text("real Celeb-real/id0_0001.mp4\n")
    with pytest.raises(UserError, match="line 1: expected LABEL"):
        celebdf.videos(tmp_path)
    (tmp_path / "List_of_testing_videos.txt").write_text("1 Celeb-real/id0_0001.mp4\n")
    caplog.clear()
    celebdf.videos(tmp_path)
    assert "has no videos of youtube-real" in caplog.text


IS_FAKE = json.dumps({"x.mp4": {"is_fake": 1}, "y.mp4": {"is_fake": 0}})


@pytest.mark.parametrize(
    "test_list", [("metadata.json", IS_FAKE), ("labels.csv", "filename,label\nx.mp4,1\ny.mp4,0\n"), None]
)
def test_dfdc_keeps_forgeries_of_one_original_together(tmp_path, caplog, test_list):
    for part in range(20):
        folder = put(tmp_path / f"dfdc_train_part_{part:02d}", *(f"{kind}{part}.mp4" for kind in "rfg"))
        fake = {"label": "FAKE", "split": "train", "original": f"r{part}.mp4"}
        content = {f"r{part}.mp4": {"label": "REAL"}, f"f{part}.mp4": fake, f"g{part}.mp4": fake}
        (folder / "metadata.json").write_text(json.dumps(content))
    put(tmp_path, "dfdc_train_part_20/c.mp4")
    if test_list:
        (put(tmp_path / "test", "x.mp4", "y.mp4") / test_list[0]).write_text(test_list[1])
    table = dfdc.videos(tmp_path)
    assert table["label"].sum() == 40 + bool(test_list)
    assert table.groupby("cluster")["split"].nunique().eq(1).all()
    of_test = {Path(path).name for path in table["path"][table["split"] == "test"]}
    assert of_test == {"x.mp4", "y.mp4"} if test_list else len(of_test) % 3 == 0
    assert "dfdc_train_part_20 has videos and no list" in caplog.text


def test_the_preview_of_dfdc_has_its_own_split(tmp_path):
    content = {
        "original_videos/1/a.mp4": {"label": "real", "target_id": 1, "set": "test"},
        "method_A/1/b.mp4": {"label": "fake", "target_id": 1, "set": "test"},
        "method_A/2/a.mp4": {"label": "fake", "target_id": 2, "set": "train"},
    }
    (put(tmp_path, *content) / "dataset.json").write_text(json.dumps(content))
    table = dfdc.videos(tmp_path)
    found = zip(table["path"], table["label"], table["split"] == "test", strict=True)
    expected = {("a.mp4", 0, True), ("a.mp4", 1, False), ("b.mp4", 1, True)}
    assert {(Path(path).name, label, test) for path, label, test in found} == expected
    assert len(table) == table["video_id"].nunique() == 3


@pytest.mark.parametrize(("fake", "real"), [("1", "0"), ("fake", "real"), ("1.0", "0.0"), ("True", "False")])
def test_labels_of_dfdc_in_any_words(tmp_path, fake, real):
    put(tmp_path, "test/x.mp4", "test/y.mp4")
    (tmp_path / "test/labels.csv").write_text(f"filename,label\nx.mp4,{fake}\ny.mp4,{real}\n")
    content = {"x.mp4": {"is_fake": 1, "original": "y.mp4"}, "y.mp4": {"is_fake": 0}}
    (tmp_path / "test/metadata.json").write_text(json.dumps(content))
    table = dfdc.videos(tmp_path)  # each once, though it is in two lists
    assert [(Path(row.path).name, row.label) for row in table.itertuples()] == [("y.mp4", 0), ("x.mp4", 1)]
    assert table["cluster"].nunique() == 1  # which labels.csv does not know


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("x.mp4,perhaps", "neither FAKE nor REAL"),
        ("x.mp4", "without filename and label"),
        ("/x.mp4,1", "outside its folder"),
        ("z.mp4,1", "not one of 1 listed videos is there"),
    ],
)
def test_what_is_wrong_with_a_list_of_dfdc_is_said(tmp_path, rows, message):
    put(tmp_path, "test/x.mp4")
    (tmp_path / "test/labels.csv").write_text(f"filename,label\n{rows}\n")
    with pytest.raises(UserError, match=message):
        dfdc.videos(tmp_path)


def test_deepfakedetection_is_a_test_set_as_a_whole(tmp_path, caplog):
    put(tmp_path, "original_sequences/actors/c23/videos/01__walk.avi", "original_sequences/actors/c23/videos/._01__x.mp4",
        "original_sequences/actors/c23/videos/01__walk.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walk__ABC.mp4")  # fmt: skip
    table = dfd.videos(tmp_path)
    assert splits_of(table) == {"pristine/01__walk": "test", "DeepFakeDetection/01_02__walk__ABC": "test"}
    assert "Left out, since the one listed before has the same name: " in caplog.text
    assert "._01__x" not in caplog.text  # a file of macOS
    assert table[table["label"] == 1][["target", "source", "cluster"]].to_numpy().tolist() == [["01", "02", "01"]]
    with pytest.raises(DataNotFoundError, match=r"data\.compression=c40"):
        dfd.videos(tmp_path, "c40")
