import cv2
import numpy as np
import pytest

from sr_deepfake.data.manifest import FORGERY_METHODS
from sr_deepfake.data.sample.forgeries import FORGERIES, composite, forge, match_colour
from sr_deepfake.data.sample.geometry import BORDER, INNER_LIPS, LEFT_EYE, NOSE_TIP, OVAL, RIGHT_EYE
from sr_deepfake.data.sample.people import draw_pairs, identity_table, read_identity


@pytest.fixture(scope="module")
def pair():
    """Two frames and landmarks of a target and a source whose faces come near the frame's edge."""
    table = identity_table()
    return tuple(
        part[:2] for name in draw_pairs()["test"][0] for part in (read_identity(name), table.landmarks_of(name))
    )


@pytest.fixture(scope="module")
def forged(pair):
    """The target forged by each method."""
    return {method: forge(method, *pair) for method in FORGERIES}


def around(points, half_height, half_width):
    """The window around the middle of some points."""
    x, y = np.round(np.mean(np.atleast_2d(points), axis=0)).astype(int)
    return np.s_[y - half_height : y + half_height, x - half_width : x + half_width]


def test_there_is_one_for_every_method_of_the_data_set():
    assert tuple(FORGERIES) == FORGERY_METHODS


@pytest.mark.parametrize("method", FORGERIES)
def test_changes_the_face_and_nothing_outside_it_and_is_deterministic(method, pair, forged):
    target, points, source, source_points = pair
    kept = target.copy()
    made = forge(method, target, points, source, source_points)
    np.testing.assert_array_equal(made, forged[method])
    np.testing.assert_array_equal(target, kept)  # its input is left alone
    assert (made.shape, made.dtype) == (target.shape, np.uint8)
    for frame, before, oval in zip(made, target, points[:, OVAL], strict=True):
        inside = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillConvexPoly(inside, cv2.convexHull(np.round(oval).astype(np.int32)), 1)
        inside = cv2.dilate(inside, np.ones((5, 5), np.uint8))
        if method in ("FaceSwap", "FaceShifter", "NeuralTextures"):  # these follow a chin that drops
            inside = cv2.dilate(inside, np.ones((25, 25), np.uint8))
        changed = (frame != before).any(axis=2)
        assert changed[inside > 0].mean() > 0.15
        assert not changed[inside == 0].any()
        changed[BORDER:-BORDER, BORDER:-BORDER] = False
        assert not changed.any()


@pytest.mark.parametrize("method", FORGERIES)
def test_looks_like_a_face(method, pair, forged):
    window = around(pair[1][0, NOSE_TIP], 15, 15)
    made, target = forged[method][0][window], pair[0][0][window]
    # Skin stays skin: colours of the middle of the face are near the target's, and it has texture.
    assert np.abs(made.mean(axis=(0, 1)) - target.mean(axis=(0, 1))).max() < 60
    assert made.std() > 3


@pytest.mark.parametrize("method", ["Face2Face", "NeuralTextures"])
def test_reenactment_keeps_the_targets_identity(method, pair, forged):
    window = around(pair[1][0, NOSE_TIP], 20, 20)
    nose = {name: made[0][window].astype(float) for name, made in forged.items()}
    distance = {name: np.abs(nose[name] - pair[0][0][window]).mean() for name in nose}
    assert distance[method] < min(6, distance["FaceSwap"])


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


def test_neural_textures_leaves_the_eyes_alone(pair, forged):
    target, points = pair[0][0], pair[1][0]
    changed = forged["NeuralTextures"][0] != target
    for eye in (LEFT_EYE, RIGHT_EYE):
        assert not changed[around(points[eye], 4, 8)].any()
    assert changed[around(points[INNER_LIPS], 4, 8)].mean() > 0.5


@pytest.mark.parametrize("method", ["Deepfakes", "Face2Face"])
def test_bottleneck_takes_fine_detail(method, pair, forged):
    left, top, width, height = cv2.boundingRect(pair[1][0, OVAL].astype(np.float32))
    window = np.s_[top + height // 4 : top + 3 * height // 4, left + width // 4 : left + 3 * width // 4]
    grey = [cv2.cvtColor(frames[0][window], cv2.COLOR_RGB2GRAY) for frames in (forged[method], pair[0])]
    made, target = (cv2.Laplacian(image, cv2.CV_64F).var() for image in grey)
    assert made < 0.7 * target


def test_composite_keeps_the_frame_bit_for_bit_where_the_mask_is_zero():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    face = rng.random((32, 32, 3), dtype=np.float32)
    mask = np.zeros((32, 32), np.float32)
    mask[8:16, 8:16], mask[20:24, 20:24] = 1, 0.25
    mixed = composite(frame, face, mask)
    np.testing.assert_array_equal(mixed[mask == 0], frame[mask == 0])
    np.testing.assert_array_equal(mixed[mask == 1], np.round(face * 255)[mask == 1].astype(np.uint8))
    expected = 0.75 * frame[22, 22] + 0.25 * 255 * face[22, 22]
    assert np.abs(mixed[22, 22] - expected).max() <= 0.501


def test_matched_colours_have_the_mean_and_deviation_asked_for():
    rng = np.random.default_rng(0)
    face = (0.4 + 0.05 * rng.standard_normal((64, 64, 3))).astype(np.float32)
    like = (np.array([0.6, 0.5, 0.4]) + 0.06 * rng.standard_normal((64, 64, 3))).astype(np.float32)
    mask = np.ones((64, 64), np.float32)
    matched = cv2.cvtColor(match_colour(face, like, mask), cv2.COLOR_RGB2Lab).reshape(-1, 3)
    wanted = cv2.cvtColor(like, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    np.testing.assert_allclose(matched.mean(axis=0), wanted.mean(axis=0), atol=0.2)
    np.testing.assert_allclose(matched.std(axis=0), wanted.std(axis=0), rtol=0.05)
