import cv2
import numpy as np
import pytest

from sr_deepfake.data.manifest import FORGERY_METHODS
from sr_deepfake.data.sample.blending import BORDER
from sr_deepfake.data.sample.forgeries import FORGERIES, forge
from sr_deepfake.data.sample.geometry import INNER_LIPS, LEFT_EYE, NOSE_TIP, OVAL, RIGHT_EYE
from sr_deepfake.data.sample.people import draw_pairs, identity_table, read_identity

FRAMES = np.s_[:2]


@pytest.fixture(scope="module")
def pair():
    """Frames and landmarks of a target and a source whose faces come near the frame's edge."""
    table = identity_table()
    target, source = draw_pairs()["test"][0]
    return tuple(part[FRAMES] for name in (target, source) for part in (read_identity(name), table.landmarks_of(name)))


def test_there_is_one_for_every_method_of_the_data_set():
    assert tuple(FORGERIES) == FORGERY_METHODS


@pytest.mark.parametrize("method", FORGERIES)
def test_changes_the_face_and_nothing_outside_it(method, pair):
    target, points, source, source_points = pair
    kept = target.copy()
    made = forge(method, target, points, source, source_points)
    assert made.shape == target.shape
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(target, kept)  # its input is left alone
    for frame, before, oval in zip(made, target, points[:, OVAL], strict=True):
        inside = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(np.round(oval).astype(np.int32)), 1)
        inside = cv2.dilate(inside, np.ones((5, 5), np.uint8))
        if method in ("FaceSwap", "FaceShifter", "NeuralTextures"):  # these follow a chin that drops
            inside = cv2.dilate(inside, np.ones((25, 25), np.uint8))
        changed = (frame != before).any(axis=2)
        assert changed[inside > 0].mean() > 0.15
        assert not changed[inside == 0].any()
        ring = np.ones_like(changed)
        ring[BORDER:-BORDER, BORDER:-BORDER] = False
        assert not changed[ring].any()


@pytest.mark.parametrize("method", FORGERIES)
def test_is_deterministic_and_looks_like_a_face(method, pair):
    made = forge(method, *pair)
    np.testing.assert_array_equal(made, forge(method, *pair))
    target, points = pair[:2]
    x, y = points[0, NOSE_TIP].astype(int)
    patch = np.s_[0, y - 15 : y + 15, x - 15 : x + 15]
    # Skin stays skin: colours of the middle of the face are near the target's, and it has texture.
    assert np.abs(made[patch].mean(axis=(0, 1)) - target[patch].mean(axis=(0, 1))).max() < 60
    assert made[patch].std() > 3


@pytest.mark.parametrize("method", ["Face2Face", "NeuralTextures"])
def test_reenactment_keeps_the_targets_identity(method, pair):
    target, points = pair[:2]
    made = forge(method, *pair)
    assert _distance(made, target, points, NOSE_TIP) < 6
    swapped = forge("FaceSwap", *pair)
    assert _distance(swapped, target, points, NOSE_TIP) > _distance(made, target, points, NOSE_TIP)


@pytest.mark.parametrize("method", FORGERIES)
def test_forging_a_person_with_themselves_moves_nothing(method, pair):
    # A shift of a pixel, or colours turned by a conversion, would show here.
    target, points = pair[:2]
    made = forge(method, target, points, target, points)
    before, after = (cv2.GaussianBlur(clip[0].astype(np.float32), (0, 0), 3) for clip in (target, made))
    assert np.abs(after - before).max() < 12
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, after)]
    x, y = points[0, NOSE_TIP].astype(int)
    (dx, dy), _ = cv2.phaseCorrelate(*(image[y - 48 : y + 48, x - 48 : x + 48] for image in grey))
    assert max(abs(dx), abs(dy)) < 0.3


def test_neural_textures_leaves_the_eyes_alone(pair):
    target, points = pair[:2]
    made = forge("NeuralTextures", *pair)
    for eye in (LEFT_EYE, RIGHT_EYE):
        x, y = np.round(points[0, eye].mean(axis=0)).astype(int)
        np.testing.assert_array_equal(made[0, y - 4 : y + 4, x - 8 : x + 8], target[0, y - 4 : y + 4, x - 8 : x + 8])
    x, y = np.round(points[0, INNER_LIPS].mean(axis=0)).astype(int)
    assert (made[0, y - 4 : y + 4, x - 8 : x + 8] != target[0, y - 4 : y + 4, x - 8 : x + 8]).mean() > 0.5


@pytest.mark.parametrize("method", ["Deepfakes", "Face2Face"])
def test_bottleneck_takes_fine_detail(method, pair):
    target, points = pair[:2]
    made = forge(method, *pair)
    left, top, width, height = cv2.boundingRect(points[0, OVAL].astype(np.float32))
    window = np.s_[top + height // 4 : top + 3 * height // 4, left + width // 4 : left + 3 * width // 4]
    assert _detail(made[0][window]) < 0.7 * _detail(target[0][window])


def _distance(made, target, points, row):
    x, y = points[0, row].astype(int)
    window = np.s_[0, y - 20 : y + 20, x - 20 : x + 20]
    return np.abs(made[window].astype(float) - target[window]).mean()


def _detail(image):
    return cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
