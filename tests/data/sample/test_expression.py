import cv2
import numpy as np
import pytest

from sr_deepfake.data.sample.expression import fill_mouth, mouth_opening, needs_teeth, transfer_expression
from sr_deepfake.data.sample.geometry import LEFT_EYE, LIPS, NOSE, RIGHT_EYE, transform
from sr_deepfake.data.sample.people import identity_table

TABLE = identity_table()
OPENING = np.array([mouth_opening(clip[0]) for clip in TABLE.landmarks])
CLOSED, OPEN = (TABLE.landmarks[index] for index in (OPENING.argmin(), OPENING.argmax()))


@pytest.mark.parametrize(("angle", "scale", "atol"), [(0, 1, 0.02), (15, 1.7, 0.05)])
def test_own_expression_as_it_is_or_turned_and_larger_changes_nothing(angle, scale, atol):
    seen = transform(OPEN[0], cv2.getRotationMatrix2D((120.0, 120.0), angle, scale))
    np.testing.assert_allclose(transfer_expression(OPEN[0], seen), OPEN[0], atol=atol)


def test_a_closed_mouth_opens_as_far_as_the_source():
    opened = transfer_expression(CLOSED[0], OPEN[0])
    assert mouth_opening(CLOSED[0]) < 0.05
    assert mouth_opening(opened) > 0.5 * mouth_opening(OPEN[0])
    assert mouth_opening(transfer_expression(OPEN[0], CLOSED[0])) < 0.3 * mouth_opening(OPEN[0])


def test_strengths_choose_what_moves():
    still = transfer_expression(CLOSED[0], OPEN[0], mouth=0, eyes=0, brows=0)
    np.testing.assert_allclose(still, CLOSED[0], atol=1e-6)
    mouth = transfer_expression(CLOSED[0], OPEN[0], mouth=1, eyes=0, brows=0)
    fixed = np.concatenate([LEFT_EYE, RIGHT_EYE, NOSE])
    np.testing.assert_allclose(mouth[fixed], CLOSED[0][fixed], atol=1e-6)
    assert np.abs(mouth[LIPS] - CLOSED[0][LIPS]).max() > 3


def test_teeth_are_needed_only_where_the_source_opens_the_mouth_further():
    assert needs_teeth(CLOSED, OPEN)
    assert not needs_teeth(OPEN, CLOSED)
    assert not needs_teeth(OPEN, OPEN)


@pytest.mark.parametrize("level", [0.4, 0.9])
def test_mouth_is_filled_between_the_lips_only(level):
    source = np.full((368, 368, 3), level, np.float32)
    face = np.full((368, 368, 3), 0.5, np.float32)
    face[::2] = 0.45
    filled = fill_mouth(face, OPEN[0], source, OPEN[0])
    changed = cv2.boundingRect((np.abs(filled - face).max(axis=2) > 1e-6).astype(np.uint8))
    lips = cv2.boundingRect(OPEN[0][LIPS].astype(np.float32))
    for start, size, lips_start, lips_size in zip(changed[:2], changed[2:], lips[:2], lips[2:], strict=True):
        assert lips_start <= start < start + size <= lips_start + lips_size + 1
