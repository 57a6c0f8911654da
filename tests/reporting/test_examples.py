from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import CAPTION

from sr_deepfake.reporting.examples import (
    AMPLIFIED,
    FALSE_ALARM,
    KINDS,
    MISSED,
    Example,
    amplified,
    example_sheet,
    heated,
    turned_faces,
)


def table(rows):
    columns = ["face_id", "video_id", "label", "score", "score_attacked"]
    return pd.DataFrame(rows, columns=columns).assign(ssim=0.97)


FACES = table(
    [
        ("a", "1", 1, 0.9, 0.4),  # missed: 0.5
        ("b", "1", 1, 0.95, 0.3),  # missed: 0.65, of the same video
        ("c", "2", 1, 0.7, 0.1),  # missed: 0.6
        ("d", "3", 1, 0.99, 0.51),  # found still
        ("e", "4", 1, 0.4, 0.1),  # missed all along
        ("f", "5", 0, 0.5, 0.9),  # alarm: 0.4
        ("g", "6", 0, 0.2, 0.8),  # alarm: 0.6
        ("h", "7", 0, 0.6, 0.9),  # an alarm all along
        ("i", "8", 0, 0.1, 0.5),  # none
    ]
)


def test_faces_that_moved_furthest_come_first_one_a_video():
    assert [face.face_id for face in turned_faces(FACES, MISSED, 9)] == ["b", "c"]
    assert [face.face_id for face in turned_faces(FACES, FALSE_ALARM, 9)] == ["g", "f"]
    (face,) = turned_faces(FACES, MISSED, 1)
    assert (face.kind, face.score, face.score_attacked, face.ssim) == (MISSED, 0.95, 0.3, 0.97)


scores = st.floats(0, 1)


@given(st.lists(st.tuples(st.integers(0, 1), scores, scores), max_size=30), st.sampled_from(list(KINDS)))
def test_all_of_them_were_right_and_turned_wrong(faces, kind):
    rows = [(f"{n:02d}", str(n), label, clean, attacked) for n, (label, clean, attacked) in enumerate(faces)]
    found = turned_faces(table(rows), kind, 99)
    expected = [
        name
        for name, _, label, clean, attacked in rows
        if label == KINDS[kind] and (clean > 0.5) == (label == 1) and (attacked > 0.5) != (label == 1)
    ]
    assert sorted(face.face_id for face in found) == expected
    moved = [abs(face.score_attacked - face.score) for face in found]
    assert moved == sorted(moved, reverse=True)


def test_the_difference_is_amplified_around_grey_and_clipped():
    clean = np.array([[[10, 100, 250]]], np.uint8)
    attacked = np.array([[[11, 90, 0]]], np.uint8)
    assert amplified(clean, attacked).tolist() == [[[128 + AMPLIFIED, 128 - 10 * AMPLIFIED, 0]]]


def example(kind, red):
    clean = np.zeros((48, 48, 3), np.uint8)
    clean[:, :, 0] = red
    attacked = clean + 4
    return Example(
        "result", "swin", "FaceSwap", kind, "f", 0.9, 0.2, clean, attacked, amplified(clean, attacked)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_sheet_has_each_example_three_times_and_the_caption(kind):
    three = [example(kind, red) for red in (60, 120, 180)]
    plain, captioned = example_sheet(three), example_sheet(three, CAPTION)
    assert captioned.size[0] == plain.size[0]
    assert captioned.size[1] > plain.size[1]
    pixels = np.asarray(captioned)
    for red in (60, 120, 180):
        clean, attacked = ((pixels == colour).all(axis=2) for colour in ((red, 0, 0), (red + 4, 4, 4)))
        assert clean.sum() == attacked.sum() == 240 * 240
    grey = 128 + 4 * AMPLIFIED
    assert (pixels == (grey, grey, grey)).all(axis=2).sum() >= 3 * 240 * 240


def test_heat_is_bright_where_the_map_is_and_grey_elsewhere():
    picture = np.full((2, 2, 3), (200, 100, 50), np.uint8)
    shown = heated(picture, np.array([[0.0, 0.0], [0.0, 1.0]]))
    grey = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert shown[0].tolist() == [[grey] * 3] * 2
    assert shown[1, 1].astype(int).sum() > 550  # the light end of the colours


def test_a_sheet_with_heat_has_five_pictures_of_an_example_in_a_row():
    plain = example(MISSED, 60)
    looked = replace(plain, heat=plain.clean + 90, heat_attacked=plain.clean + 120)
    sheet = np.asarray(example_sheet([looked, plain]))
    assert sheet.shape[1] == np.asarray(example_sheet([plain])).shape[1]
    for added, times in ((0, 2), (90, 1), (120, 1)):
        found = (sheet == (60 + added, added, added)).all(axis=2).sum()
        assert found == times * 290 * 290
