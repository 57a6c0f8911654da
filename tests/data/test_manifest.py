import pandas as pd
import pyarrow.parquet as pq
import pytest

from sr_deepfake.data.manifest import (
    SCHEMA,
    DataNotFoundError,
    ManifestError,
    fingerprint,
    read_manifest,
    select,
    write_manifest,
)


def rows() -> list[dict[str, object]]:
    made = []
    for split in ("train", "test"):
        for method, stem, label in (
            ("pristine", "000", 0),
            ("FaceSwap", "000_003", 1),
            ("Deepfakes", "000_003", 1),
        ):
            row: dict[str, object] = dict.fromkeys(SCHEMA.names, 1)
            row |= dict.fromkeys(("target", "source", "path", "sha256"), "x")
            row |= {"video_id": f"{method}/{split}{stem}", "face_id": f"{method}/{split}{stem}/0001"}
            made.append(row | {"method": method, "label": label, "split": split, "box_left": 1.5})
    return made


def test_reads_what_was_written(tmp_path):
    write_manifest(rows(), tmp_path / "faces.parquet")
    for path in (tmp_path, tmp_path / "faces.parquet", str(tmp_path)):
        pd.testing.assert_frame_equal(
            read_manifest(path), pd.DataFrame(rows())[SCHEMA.names], check_dtype=False
        )
    frame = read_manifest(tmp_path)
    assert frame["label"].dtype == frame["frame"].dtype == "int64"
    assert frame["box_left"].dtype == "float64"


def test_same_rows_same_bytes_and_nothing_is_left_beside(tmp_path):
    for name in ("a", "b"):
        write_manifest(rows(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


@pytest.mark.parametrize("change", [{"colour": 1}, None])
def test_a_row_with_other_columns_is_an_error(tmp_path, change):
    row = rows()[0] | (change or {})
    if change is None:
        del row["sha256"]
    with pytest.raises(ManifestError, match="exactly the columns"):
        write_manifest([row], tmp_path / "faces.parquet")
    assert not list(tmp_path.iterdir())


def test_a_missing_manifest_names_the_command(tmp_path):
    with pytest.raises(DataNotFoundError, match=r"faces\.parquet.*python -m sr_deepfake\.prepare"):
        read_manifest(tmp_path)


def test_a_manifest_without_columns_names_them(tmp_path):
    write_manifest(rows(), tmp_path / "faces.parquet")
    table = pq.read_table(tmp_path / "faces.parquet").drop_columns(["sha256", "side"])
    pq.write_table(table, tmp_path / "faces.parquet")
    with pytest.raises(ManifestError, match=r"lacks the columns side, sha256.*sr_deepfake\.prepare"):
        read_manifest(tmp_path)


def test_no_parquet_is_an_error(tmp_path):
    (tmp_path / "faces.parquet").write_text("no table")
    with pytest.raises(ManifestError, match="not a readable Parquet file"):
        read_manifest(tmp_path)


def test_a_face_named_twice_is_an_error(tmp_path):
    write_manifest([rows()[0], rows()[0]], tmp_path / "faces.parquet")
    with pytest.raises(ManifestError, match="names the face pristine/train000/0001 twice"):
        read_manifest(tmp_path)


def test_fingerprint_sees_faces_pixels_labels_and_splits_and_nothing_else():
    frame = pd.DataFrame(rows())
    original = fingerprint(frame)
    assert fingerprint(frame.sample(frac=1, random_state=0)) == original
    assert fingerprint(frame.assign(probability=0.5, path="y")) == original
    for name, value in (("face_id", "z"), ("sha256", "z"), ("label", 7), ("split", "val")):
        changed = frame.copy()
        changed[name] = [value, *frame[name][1:]]
        assert fingerprint(changed) != original
    assert fingerprint(frame[1:]) != original


def test_select():
    frame = pd.DataFrame(rows())
    chosen = select(frame, "test", ["pristine", "FaceSwap"])
    assert list(chosen["face_id"]) == ["pristine/test000/0001", "FaceSwap/test000_003/0001"]
    assert list(chosen.index) == [0, 1]
    assert len(select(frame)) == 6
    assert len(select(frame, methods=["Deepfakes"])) == 2
    assert select(frame, "val").empty
