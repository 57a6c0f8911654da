import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import batched_nms_numpy, bbreg, imresample, pad, rerec
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import scene

from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.data.extraction.mtcnn_boxes import (
    area_means,
    clip_to_frame,
    move_by_regression,
    square_boxes,
    suppress_contained,
)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


SCENES = [  # faces are about half as large as the pictures of people
    [("000", 40, 20, 400)],
    [("001", 300, 200, 260)],
    [("002", 100, 100, 120)],
    [("003", 100, 300, 70)],
    [("004", 20, 20, 200), ("005", 300, 100, 340)],
    [("006", 20, 20, 90), ("007", 400, 200, 110)],
]
BLACK = np.zeros((16, 300, 3), np.uint8)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    large = [scene(*faces, height=480, width=640) for faces in SCENES]
    # In the small frame the coarse step opens at 40 px; its face of about 35 px needs the fine one.
    return [*large, scene(("003", 20, 20, 70), height=120, width=160), BLACK]


def iou(first, second) -> float:
    width, height = (max(min(first[i + 2], second[i + 2]) - max(first[i], second[i]), 0) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize("thresholds", [(0.8, 0.8, 0.8), (0.6, 0.7, 0.7)])
def test_finds_the_faces_that_facenet_pytorch_finds(frames, thresholds):
    detector, reference = FaceDetector(thresholds), MTCNN(thresholds=list(thresholds), keep_all=True)
    every = detector.all(frames)
    assert [min(len(faces), 2) for faces in every] == [1, 1, 1, 1, 2, 2, 1, 0]
    for frame, faces, largest in zip(frames[:-1], every, detector.largest(frames), strict=False):
        boxes, probabilities = reference.detect(frame)  # largest first, too
        np.testing.assert_allclose([face.box for face in faces], boxes.astype(float), atol=0.01)
        np.testing.assert_allclose([face.probability for face in faces], probabilities.astype(float), atol=1e-4)
        assert iou(largest.box, boxes[0]) >= 0.9
        assert thresholds[2] < largest.probability <= 1


@pytest.mark.parametrize("method", ["largest", "all"])
def test_frames_of_several_sizes_do_not_influence_each_other(detector, frames, method):
    find = getattr(detector, method)

    def numbers(found) -> np.ndarray:
        faces = found if isinstance(found, list) else [found] if found else []
        return np.array([[*face.box, 100 * face.probability] for face in faces])

    together, reverse = find(frames), find(frames[::-1])[::-1]
    assert together == find(frames)
    for frame, one, other in zip(frames, together, reverse, strict=True):
        (alone,) = find([frame])
        for found in (one, other):
            np.testing.assert_allclose(numbers(found), numbers(alone), atol=0.01)
    assert find([]) == []


def test_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert detector.largest([np.zeros((200, 300, 3), np.uint8), noise, scene(), BLACK]) == [None] * 4
    assert detector.all([noise, BLACK]) == [[], []]


@pytest.mark.parametrize("method", ["largest", "all"])
@pytest.mark.parametrize("frame", [np.zeros((50, 50)), np.zeros((50, 50, 3)), np.zeros((50, 50, 4), np.uint8)])
def test_other_arrays_are_errors(detector, frame, method):
    with pytest.raises(ValueError, match="uint8 arrays"):
        getattr(detector, method)([frame])


@pytest.mark.parametrize("wrong", [{"thresholds": (0.8, 0.8)}, {"thresholds": (0.8, 0.8, 8)}, {"min_face": 5}])
def test_senseless_settings_are_errors(wrong):
    with pytest.raises(ValueError, match="must be"):
        FaceDetector(**wrong)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_area_means_are_adaptive_pooling(data):
    height, width = data.draw(st.integers(2, 60)), data.draw(st.integers(2, 60))
    left, top = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    right, bottom = data.draw(st.integers(left + 1, width)), data.draw(st.integers(top + 1, height))
    size = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    part = torch.from_numpy(frame[top:bottom, left:right].copy()).permute(2, 0, 1)[None].float()
    expected = imresample(part, size)[0].permute(1, 2, 0).numpy()
    found = area_means(cv2.integral(frame), (left, top, right, bottom), size)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_area_means_of_a_frame_whose_sums_overflow():
    frame = np.full((2600, 3300, 3), 255, np.uint8)  # its sum is beyond 2^31
    np.testing.assert_array_equal(area_means(cv2.integral(frame), (0, 0, 3300, 2600), (7, 9)), 255)


def some_boxes(seed: int, count: int = 60) -> np.ndarray:
    generator = np.random.default_rng(seed)
    corner, size = generator.uniform(-20, 180, (count, 2)), generator.uniform(10, 80, (count, 2))
    rest = [generator.uniform(0, 1, (count, 1)), generator.normal(0, 0.1, (count, 4))]
    return np.concatenate([corner, corner + size, *rest], axis=1).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_box_arithmetic_is_facenet_pytorchs(seed):
    boxes = some_boxes(seed)
    expected = bbreg(torch.from_numpy(boxes[:, :5].copy()), torch.from_numpy(boxes[:, 5:])).numpy()
    np.testing.assert_allclose(move_by_regression(boxes), expected, atol=1e-3)

    squares = rerec(torch.from_numpy(boxes[:, :4].copy())).numpy()
    np.testing.assert_allclose(square_boxes(boxes[:, :4]), squares, atol=1e-3)

    corners, inside = clip_to_frame(squares, 150, 200)
    y, stop_y, x, stop_x = pad(torch.from_numpy(squares), 200, 150)
    assert inside.tolist() == ((stop_y > y - 1) & (stop_x > x - 1)).tolist()
    np.testing.assert_array_equal(corners, np.stack([x - 1, y - 1, stop_x, stop_y], axis=1))

    scores = torch.from_numpy(boxes[:, 4])
    kept = batched_nms_numpy(torch.from_numpy(boxes[:, :4]), scores, torch.zeros(len(boxes)), 0.7, "Min")
    np.testing.assert_array_equal(suppress_contained(boxes, 0.7), boxes[kept.numpy()])
