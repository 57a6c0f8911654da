import pandas as pd
import pyarrow.parquet as pq
import pytest

from sr_deepfake.data.manifest import (
    OF_VIDEO,
    SCHEMA,
    DataNotFoundError,
    FaceSet,
    ManifestError,
    fingerprint,
    read_manifest,
    read_videos,
    select,
    thin,
    video_table,
    write_manifest,
    write_videos,
)
from sr_deepfake.system.errors import UserError


def videos() -> list[dict[str, object]]:
    return [
        {"video_id": f"{method}/{stem}", "path": f"{stem}.mp4", "target": stem[:3], "source": stem[4:], "split": split}
        for split, a, b in (("train", "000", "003"), ("test", "001", "002"))
        for method, stem in (("pristine", a), ("FaceSwap", f"{a}_{b}"), ("Deepfakes", f"{a}_{b}"))
    ]


def faces() -> list[dict[str, object]]:
    row: dict[str, object] = dict.fromkeys(SCHEMA.names, 1) | {"path": "x", "sha256": "x", "box_left": 1.5}
    return [row | {"video_id": v["video_id"], "face_id": f"{v['video_id']}/0001"} for v in videos()]


@pytest.fixture
def folder(tmp_path):
    write_manifest(faces(), tmp_path / "faces.parquet")
    write_videos(video_table(videos()), tmp_path / "videos.csv")
    return tmp_path


def test_faces_are_read_with_what_is_known_of_their_videos(folder):
    rows = read_manifest(folder)
    assert list(rows.columns) == [*SCHEMA.names, *OF_VIDEO]
    assert list(rows["face_id"]) == [
        "pristine/000/0001", "Deepfakes/000_003/0001", "FaceSwap/000_003/0001",
        "pristine/001/0001", "Deepfakes/001_002/0001", "FaceSwap/001_002/0001",
    ]  # fmt: skip
    assert rows["label"].tolist() == [0, 1, 1] * 2
    assert rows["cluster"].tolist() == ["000"] * 3 + ["001"] * 3
    assert rows["frame"].dtype == "int64"
    # Another split needs another table of videos alone.
    other = read_videos(folder / "videos.csv").assign(split="val")
    assert set(read_manifest(folder, other)["split"]) == {"val"}


def test_what_a_listing_leaves_out_is_completed():
    table = video_table(
        [
            {"video_id": "pristine/a", "path": "a.mp4"},
            {"video_id": "fake/b", "path": "b.mp4", "target": "anna", "source": "ben+carl"},
            {"video_id": "fake/c", "path": "c.mp4", "target": "carl"},
        ]
    )
    assert table[["method", "label", "split", "target", "cluster"]].to_numpy().tolist() == [
        ["pristine", 0, "", "pristine/a", "pristine/a"],
        ["fake", 1, "", "anna", "anna"],
        ["fake", 1, "", "carl", "anna"],
    ]


def test_names_that_are_not_utf_8_survive(tmp_path):
    table = video_table([{"video_id": "fake/a", "path": "caf\udce9.mp4"}])
    write_videos(table, tmp_path / "videos.csv")
    assert read_videos(tmp_path / "videos.csv").to_numpy().tolist() == table.to_numpy().tolist()


def test_a_row_with_other_columns_is_an_error(tmp_path):
    for row in (faces()[0] | {"colour": 1}, dict(list(faces()[0].items())[1:])):
        with pytest.raises(ManifestError, match="exactly the columns"):
            write_manifest([row], tmp_path / "faces.parquet")
    assert not list(tmp_path.iterdir())


def test_damaged_and_missing_files_name_the_command(folder):
    table, manifest = folder / "videos.csv", folder / "faces.parquet"
    fewer = pq.read_table(manifest).drop_columns(["sha256", "side"])
    for damage, error, message in (
        (lambda: table.write_text("video_id,label\na,7\n"), ManifestError, r"videos\.csv is no table of videos"),
        (table.unlink, DataNotFoundError, r"videos\.csv"),
        (lambda: pq.write_table(fewer, manifest), ManifestError, "lacks the columns side, sha256"),
        (lambda: write_manifest([faces()[0]] * 2, manifest), ManifestError, "names the face pristine/000/0001 twice"),
        (lambda: manifest.write_text("no table"), ManifestError, "not a readable Parquet file"),
        (manifest.unlink, DataNotFoundError, r"faces\.parquet"),
    ):
        damage()
        with pytest.raises(error, match=rf"{message}.*python -m sr_deepfake\.prepare"):
            read_manifest(folder)


def test_fingerprint_sees_faces_pixels_labels_and_splits(folder):
    rows = read_manifest(folder)
    original = fingerprint(rows)
    assert fingerprint(rows.sample(frac=1, random_state=0)) == original
    assert fingerprint(rows.assign(probability=0.5, path="y")) == original
    for name, value in (("face_id", "z"), ("sha256", "z"), ("label", 7), ("split", "val")):
        assert fingerprint(rows.assign(**{name: [value, *rows[name][1:]]})) != original
    assert fingerprint(rows[1:]) != original
    assert fingerprint(rows, "cluster") != fingerprint(rows.assign(cluster="a"), "cluster")


def test_select_and_thin(folder):
    rows = read_manifest(folder)
    chosen = select(rows, "test", ["pristine", "FaceSwap"])
    assert list(chosen["face_id"]) == ["pristine/001/0001", "FaceSwap/001_002/0001"]
    assert list(chosen.index) == [0, 1]
    assert (len(select(rows)), len(select(rows, methods=["Deepfakes"])), len(select(rows, "val"))) == (6, 2, 0)
    many = pd.DataFrame({"video_id": ["a"] * 10 + ["b"] * 2, "frame": range(12)})
    assert thin(many, 3)["frame"].tolist() == [0, 4, 7, 10, 11]


def test_a_face_set_needs_both_classes_but_for_a_test_of_one(folder):
    rows = read_manifest(folder)
    found = FaceSet("ffpp", folder, rows)
    assert len(found.of("train", "FaceSwap")) == 2
    with pytest.raises(UserError, match="1 pristine and 0 Face2Face faces for test; both are needed"):
        found.of("test", "Face2Face")
    real = FaceSet("ffpp", folder, rows[rows["label"] == 0])
    assert real.of("test", "FaceSwap")["label"].tolist() == [0]
    with pytest.raises(UserError, match="for train; both are needed"):
        real.of("train", "FaceSwap")
