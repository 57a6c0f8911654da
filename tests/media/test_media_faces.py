import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photo_faces import as_faces, as_pictures
from scenes import two_people

from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.extraction.cropping import Crop, square_crop
from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.media.faces import FaceFinder, attack_crops, cut, paste, whole_frames
from sr_deepfake.super_resolution.interpolation import Interpolation


class Faces:
    """A detector that finds these boxes in every frame."""

    def __init__(self, *boxes):
        self.boxes = boxes

    def all(self, frames):
        return [[Detection(box, 0.9) for box in self.boxes] for _ in frames]


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@given(st.data())
def test_squares_lie_inside_the_frame_largest_first(data):
    height, width = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 200))
    place, size = st.floats(-50, 200), st.floats(0.5, 300)
    boxes = [
        (left, top, left + wide, top + high)
        for left, top, wide, high in data.draw(st.lists(st.tuples(place, place, size, size), max_size=5))
    ]
    (found,) = FaceFinder(Faces(*boxes), min_side=20)([np.zeros((height, width, 3), np.uint8)])
    assert len(found.crops) + found.too_small == len(boxes)
    large = sum(max(box[2] - box[0], box[3] - box[1]) >= 20 for box in boxes)
    assert len(found.crops) == (large if min(height, width) >= 24 else 0)
    assert [crop.side for crop in found.crops] == sorted((crop.side for crop in found.crops), reverse=True)
    for crop in found.crops:
        assert crop.side % 24 == 0
        assert min(crop.left, crop.top) >= 0
        assert crop.left + crop.side <= width
        assert crop.top + crop.side <= height


def test_crops_of_one_side_are_attacked_together_as_faces_of_a_data_set_are(monkeypatch):
    batches = []

    def attack(faces):
        batches.append(len(faces))
        return bicubic(faces)

    bicubic = SuperResolutionAttack(Interpolation(scale=2))
    monkeypatch.setattr("sr_deepfake.media.faces.MAX_PIXELS", 3 * 24 * 24)
    crops = [noise(side, side, 3) // 2 + index for index, side in enumerate((24, 48, 24, 24, 24, 24))]
    attacked = attack_crops(attack, crops)
    assert batches == [3, 2, 1]
    for crop, result in zip(crops, attacked, strict=True):
        np.testing.assert_array_equal(result, as_pictures(bicubic(as_faces(crop[None])))[0])
        assert result.dtype == np.uint8
    assert attack_crops(attack, []) == []


def test_squares_are_those_of_face_crops():
    picture = two_people()
    detector = FaceDetector()
    (found,) = FaceFinder(detector)([picture])
    boxes = [face.box for face in detector.all([picture])[0]]
    assert found.crops == [square_crop(box, *picture.shape[:2]) for box in boxes]
    assert len(found.crops) == 2


@given(st.data())
def test_only_the_square_changes_and_blends_as_a_loop_says(data):
    height, width = data.draw(st.integers(3, 14)), data.draw(st.integers(3, 14))
    side = data.draw(st.integers(1, min(height, width)))
    crop = Crop(data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side)), side)
    feather, dtype = data.draw(st.integers(0, 5)), data.draw(st.sampled_from([np.uint8, np.uint16]))
    frame, face = noise(height, width, 2, dtype=dtype), noise(side, side, 2, dtype=dtype)[::-1]
    expected = frame.copy()
    for row in range(side):
        for column in range(side):
            distances = [feather + 1]
            distances += [row + 1] if crop.top > 0 else []
            distances += [side - row] if crop.top + side < height else []
            distances += [column + 1] if crop.left > 0 else []
            distances += [side - column] if crop.left + side < width else []
            weight = min(distances) / (feather + 1)
            old = frame[crop.top + row, crop.left + column].astype(float)
            new = np.rint(weight * face[row, column].astype(float) + (1 - weight) * old)
            expected[crop.top + row, crop.left + column] = new
    paste(frame, crop, face, feather)
    np.testing.assert_array_equal(frame, expected)


def test_of_overlapping_squares_the_smaller_stays_whole():
    """Whatever the order in which faces are found, and each as it is attacked alone."""
    large, small = (10.0, 10.0, 70.0, 70.0), (50.0, 50.0, 90.0, 90.0)
    results = []
    for boxes in ((large, small), (small, large)):
        frame = noise(120, 140, 3)
        (found,) = FaceFinder(Faces(*boxes))([frame])
        first, second = found.crops
        assert first.side > second.side
        faces = [cut(frame, crop) for crop in found.crops]
        for crop, face in zip(found.crops, faces, strict=True):
            paste(frame, crop, 255 - face)
        np.testing.assert_array_equal(cut(frame, second), 255 - faces[1])
        results.append(frame)
    np.testing.assert_array_equal(results[0], results[1])


def test_senseless_settings_are_errors():
    for name, value in {"min_side": -1, "margin": -0.1, "multiple": 0}.items():
        with pytest.raises(ValueError, match=f"{name} must be at least"):
            FaceFinder(Faces(), **{name: value})
    with pytest.raises(ValueError, match="square of 24 px"):
        paste(noise(60, 80, 3), Crop(0, 0, 24), noise(25, 25, 3))
    with pytest.raises(ValueError, match="feather"):
        paste(noise(60, 80, 3), Crop(0, 0, 24), noise(24, 24, 3), feather=-1)


@pytest.mark.parametrize(("height", "width", "count"), [(48, 48, 1), (50, 121, 3), (121, 50, 3), (1, 3, 3)])
def test_whole_frames_are_covered_by_squares_of_even_sides(height, width, count):
    (found,) = whole_frames([np.zeros((height, width, 3), np.uint8)])
    covered = np.zeros((height, width), bool)
    for crop in found.crops:
        assert (crop.side, min(crop.left, crop.top) >= 0) == (min(height, width) // 2 * 2 or 1, True)
        assert cut(covered, crop).shape == (crop.side, crop.side)
        covered[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side] = True
    assert (covered.all(), len(found.crops)) == (True, count)
