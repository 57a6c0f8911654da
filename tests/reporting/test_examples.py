import numpy as np
import pytest
from page_reports import reported, write_evidence
from PIL import Image
from result_folders import CAPTION, grid_of, write_results

from sr_deepfake.reporting.examples import AMPLIFIED, WIDTH, amplified, example_sheet, examples_of, overlay
from sr_deepfake.reporting.report import read_evidence


@pytest.fixture
def folder(tmp_path):
    made = write_results(tmp_path)
    write_evidence(made, ("missed", "missed", "false alarm"), side=48)
    return made


def test_examples_are_the_pictures_that_the_test_kept(folder, tmp_path):
    (entry,) = grid_of(tmp_path).attacked
    found = examples_of(entry, read_evidence(folder), 1)
    assert [example.face.kind for example in found] == ["missed", "false alarm"]
    kept = {
        name: np.asarray(Image.open(folder / "evidence" / f"0-{name}.png")) for name in ("clean", "attacked", "heat")
    }
    pictures = found[0].pictures
    np.testing.assert_array_equal(pictures["clean"], kept["clean"])
    np.testing.assert_array_equal(pictures["difference"], amplified(kept["clean"], kept["attacked"]))
    np.testing.assert_array_equal(pictures["heat"], overlay(kept["clean"], kept["heat"] / 255))
    assert found[0].change == pytest.approx(0.6)


def test_without_explanations_heat_maps_are_left_out(folder, tmp_path):
    report = reported(tmp_path, explain=False)
    assert all(set(example.pictures) == {"clean", "attacked", "difference"} for example in report.examples)
    assert "bands" not in {table.name for table in report.tables}
    assert not {"bands", "spectrum"} & {figure.name for figure in report.figures}
    assert reported(tmp_path, examples=0).examples == []


@pytest.mark.parametrize("damage", ["index", "picture", "size"])
def test_damaged_evidence_is_a_note_and_no_error(folder, tmp_path, damage):
    if damage == "index":
        (folder / "evidence" / "index.json").write_text('{"flipped": [{"clean": "../../x.png"}]}')
    elif damage == "picture":
        (folder / "evidence" / "0-clean.png").write_bytes(b"no picture")
    else:
        Image.new("RGB", (9, 9)).save(folder / "evidence" / "0-clean.png")
    report = reported(tmp_path)
    (note,) = [note for note in report.notes if note.startswith("resnet50 on FaceSwap: ")]
    assert "evidence" in note
    assert report.examples == []


def test_the_difference_is_amplified_around_grey_and_clipped():
    clean, attacked = np.array([[[10, 100, 250]]], np.uint8), np.array([[[11, 90, 0]]], np.uint8)
    assert amplified(clean, attacked).tolist() == [[[128 + AMPLIFIED, 128 - 10 * AMPLIFIED, 0]]]


def test_heat_makes_a_grey_face_brighter_and_yellower():
    picture = np.full((2, 2, 3), 90, np.uint8)
    shown = overlay(picture, np.array([[0.0, 0.3], [0.7, 1.0]]))
    assert shown[0, 0].tolist() == [90, 90, 90]
    assert shown[1, 1, 0] > shown[1, 0, 0] > shown[0, 1, 0]
    assert shown[1, 1, 2] < shown[1, 1, 1]


def test_a_sheet_has_a_row_a_face_with_all_its_pictures(folder, tmp_path):
    (entry,) = grid_of(tmp_path).attacked
    two = examples_of(entry, read_evidence(folder), 2)[:2]
    sheet = example_sheet(two, CAPTION)
    assert sheet.width == WIDTH
    one = example_sheet(two[:1], CAPTION)
    side = (WIDTH - 12) // 5 - 12
    assert sheet.height - one.height == 2 * 30 + 8 + side + 12
    first = np.asarray(sheet)[12 + 30 + 12 + 64 :, 12 : 12 + side][:side]
    expected = np.asarray(Image.fromarray(two[0].pictures["clean"]).resize((side, side), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(first, expected)
