import cv2
import numpy as np

from sr_deepfake.data.sample.blending import BORDER, composite, core_mask, face_polygon, match_colour, soft_mask
from sr_deepfake.data.sample.people import identity_table


def test_mask_is_zero_outside_the_polygon_and_rises_inwards():
    polygon = np.array([[10.0, 10], [90, 10], [90, 90], [10, 90]])
    mask = soft_mask(polygon, side=100, feather=20)
    assert mask[:9].max() == mask[:, 92:].max() == 0
    assert mask.max() == 1
    assert (np.diff(mask[50, 10:50]) >= 0).all()
    assert 0.4 < mask[50, 20] < 0.6  # half way up the fade


def test_mask_leaves_the_frames_edge_alone():
    mask = soft_mask(np.array([[-50.0, -50], [150, -50], [150, 150], [-50, 150]]), side=100, feather=3)
    ring = np.ones((100, 100), bool)
    ring[BORDER:-BORDER, BORDER:-BORDER] = False
    assert mask[ring].max() == 0
    assert mask[50, 50] == 1


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


def test_polygon_shrinks_and_pulls_in_the_forehead_only():
    points = identity_table().landmarks[0, 0]
    oval, pulled = face_polygon(points, 1.0), face_polygon(points, 1.0, top=0.3)
    moved = np.linalg.norm(oval - pulled, axis=1)
    assert moved[18] == 0  # the chin
    assert moved[:3].max() == moved.max() > 5
    area = cv2.contourArea(face_polygon(points, 0.5).astype(np.float32))
    assert np.isclose(area, cv2.contourArea(oval.astype(np.float32)) / 4, rtol=1e-3)
    assert 0 < core_mask(points, 240).mean() < 0.4
