import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from sr_deepfake.data.sample.geometry import (
    BORDER,
    core_mask,
    crop_matrix,
    face_polygon,
    face_roll,
    face_size,
    into_crop,
    out_of_crop,
    piecewise_affine_map,
    soft_mask,
    transform,
    triangulate,
    with_ring,
)
from sr_deepfake.data.sample.people import identity_table


@pytest.fixture
def points():
    return identity_table().landmarks[1, 0]


def test_map_equals_linear_interpolation_on_the_same_triangles():
    rng = np.random.default_rng(0)
    target = np.concatenate([[[-1.0, -1], [48, -1], [-1, 48], [48, 48]], rng.uniform(4, 43, (12, 2))])
    source = target + rng.uniform(-3, 3, target.shape)
    mesh = Delaunay(target)
    map_, inside = piecewise_affine_map(source, target, mesh.simplices, side=48)
    y, x = np.mgrid[:48, :48]
    expected = LinearNDInterpolator(mesh, source)(np.stack([x, y], axis=-1).astype(float))
    assert inside.all()
    # A pixel on an edge may be filled as its neighbour triangle, half a pixel away at most.
    off = np.abs(map_ - expected).max(axis=2)
    assert np.median(off) < 1e-4
    assert off.max() < 1.5


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 95), st.integers(0, 9))
def test_warping_a_face_onto_itself_changes_nothing(person, frame):
    points = with_ring(identity_table().landmarks[person, frame])
    side = int(identity_table().sizes[person])
    map_, inside = piecewise_affine_map(points, points, triangulate(points), side)
    y, x = np.nonzero(inside)
    assert inside.mean() > 0.2
    np.testing.assert_allclose(map_[inside], np.stack([x, y], axis=1), atol=1e-3)
    assert not inside[0, 0]
    assert (map_[~inside] < 0).all()  # outside the mesh it points outside


def test_crop_is_upright_centred_and_of_the_extent_asked_for(points):
    turned = transform(points, cv2.getRotationMatrix2D((150.0, 150.0), -20, 1.0))
    assert face_roll(turned) - face_roll(points) == pytest.approx(np.deg2rad(20), abs=1e-6)
    cropped = transform(turned, crop_matrix(turned, side=96, extent=1.5))
    assert face_roll(cropped) == pytest.approx(0, abs=1e-6)
    assert face_size(cropped) == pytest.approx(96 / 1.5, rel=1e-3)


def test_into_a_crop_and_out_of_it_is_where_it_was(points):
    y, x = np.mgrid[:304, :304].astype(np.float32)
    ramp = np.stack([x, y, x + y], axis=-1)
    matrix = crop_matrix(points, side=128)
    back = out_of_crop(into_crop(ramp, matrix, 128), matrix, 304)
    centre = points.mean(axis=0).astype(int)
    window = np.s_[centre[1] - 40 : centre[1] + 40, centre[0] - 40 : centre[0] + 40]
    np.testing.assert_allclose(back[window], ramp[window], atol=0.1)


def test_mask_rises_inwards_from_its_polygon_or_the_frames_edge():
    polygon = np.array([[10.0, 10], [90, 10], [90, 90], [10, 90]])
    mask = soft_mask(polygon, side=100, feather=20)
    assert mask[:9].max() == mask[:, 92:].max() == 0
    assert mask.max() == 1
    assert (np.diff(mask[50, 10:50]) >= 0).all()
    assert 0.4 < mask[50, 20] < 0.6  # half way up the fade
    wide = soft_mask(2 * polygon - 50, side=100, feather=3)  # reaches over the frame's edge
    assert wide[50, 50] == 1
    assert wide[BORDER:-BORDER, BORDER:-BORDER].sum() == wide.sum()


def test_polygon_shrinks_and_pulls_in_the_forehead_only():
    points = identity_table().landmarks[0, 0]
    oval, pulled = face_polygon(points, 1.0), face_polygon(points, 1.0, top=0.3)
    moved = np.linalg.norm(oval - pulled, axis=1)
    assert moved[18] == 0  # the chin
    assert moved[:3].max() == moved.max() > 5
    area = cv2.contourArea(face_polygon(points, 0.5).astype(np.float32))
    assert np.isclose(area, cv2.contourArea(oval.astype(np.float32)) / 4, rtol=1e-3)
    assert 0 < core_mask(points, 240).mean() < 0.4
