import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import batched_nms_numpy, bbreg, imresample, pad, rerec
from hypothesis import given, settings
from hypothesis import strategies as st
from video_files import clips, frames_of

from sr_deepfake.data.extraction import face_detection
from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
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


def scene(*faces: tuple[int, int, int, int], height: int = 480, width: int = 640) -> np.ndarray:
    """People (which, left, top, side) on a textured background."""
    frame = np.random.default_rng(0).uniform(0, 255, (height // 16, width // 16, 3)).astype(np.float32)
    frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    for which, left, top, side in faces:
        person = cv2.resize(frames_of(clips()[which])[0], (side, side), interpolation=cv2.INTER_AREA)
        frame[top : top + side, left : left + side] = person
    return frame


SCENES = [  # faces are about half as large as the pictures of people
    ((0, 40, 20, 400),),
    ((1, 300, 200, 260),),
    ((2, 100, 100, 120),),
    ((3, 100, 300, 70),),
    ((4, 20, 20, 200), (5, 300, 100, 340)),
    ((6, 20, 20, 90), (7, 400, 200, 110)),
]


def iou(first, second) -> float:
    width, height = (max(min(first[i + 2], second[i + 2]) - max(first[i], second[i]), 0) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def facenet(frame: np.ndarray, thresholds=(0.8, 0.8, 0.8)) -> list[float] | None:
    boxes, _ = MTCNN(thresholds=list(thresholds)).detect(frame)
    return None if boxes is None else [float(x) for x in boxes[0]]


@pytest.mark.parametrize("thresholds", [(0.8, 0.8, 0.8), (0.6, 0.7, 0.7)])
def test_finds_the_face_that_facenet_pytorch_finds(thresholds):
    frames = [scene(*faces) for faces in SCENES]
    found = FaceDetector(thresholds).largest(frames)
    for frame, detection in zip(frames, found, strict=True):
        assert detection is not None
        assert iou(detection.box, facenet(frame, thresholds)) >= 0.9
        assert thresholds[2] < detection.probability <= 1


def test_whole_pyramid_gives_facenet_pytorchs_boxes(detector, monkeypatch):
    monkeypatch.setattr(face_detection, "OPENING", (0,))
    for faces in SCENES:
        frame = scene(*faces)
        np.testing.assert_allclose(detector.largest([frame])[0].box, facenet(frame), atol=0.01)


@pytest.mark.parametrize("thresholds", [(0.8, 0.8, 0.8), (0.6, 0.7, 0.7)])
def test_all_faces_are_facenet_pytorchs(thresholds):
    frames = [scene(*faces) for faces in SCENES[2:]] + [np.zeros((480, 640, 3), np.uint8)]
    found = FaceDetector(thresholds).all(frames)
    reference = MTCNN(thresholds=list(thresholds), keep_all=True)
    assert [min(len(faces), 2) for faces in found] == [1, 1, 2, 2, 0]
    for frame, faces in zip(frames, found, strict=True):
        boxes, probabilities = reference.detect(frame)  # largest first, too
        if boxes is None:
            assert faces == []
            continue
        np.testing.assert_allclose([face.box for face in faces], boxes.astype(float), atol=0.01)
        np.testing.assert_allclose([face.probability for face in faces], probabilities.astype(float), atol=1e-4)


def test_all_faces_of_frames_of_several_sizes(detector):
    frames = [scene((0, 40, 20, 400)), np.zeros((8, 300, 3), np.uint8), scene((4, 20, 20, 200), (5, 300, 100, 340))]
    found = detector.all(frames)
    assert [len(faces) for faces in found] == [1, 0, 2]
    alone = detector.all(frames[2:])[0]
    np.testing.assert_allclose([face.box for face in found[2]], [face.box for face in alone], atol=0.01)
    assert detector.all([]) == []
    with pytest.raises(ValueError, match="uint8 arrays"):
        detector.all([np.zeros((50, 50))])


def test_takes_the_largest_face(detector):
    box = detector.largest([scene((4, 20, 20, 200), (5, 300, 100, 340))])[0].box
    assert box[0] > 300


def test_a_large_face_found_late_is_not_lost_to_a_small_one(detector):
    # The coarse step of this small frame opens at 40 px; the face of about 35 px needs the fine one.
    frame = scene((3, 20, 20, 70), height=120, width=160)
    detection = detector.largest([frame])[0]
    assert iou(detection.box, facenet(frame)) >= 0.9


def test_frames_do_not_influence_each_other(detector):
    frames = [scene(*faces) for faces in SCENES] + [scene()]
    together = detector.largest(frames)
    reverse = detector.largest(frames[::-1])[::-1]
    for frame, one, other in zip(frames, together, reverse, strict=True):
        alone = detector.largest([frame])[0]
        for detection in (one, other):
            if alone is None:
                assert detection is None
            else:
                np.testing.assert_allclose(detection.box, alone.box, atol=0.01)
                assert detection.probability == pytest.approx(alone.probability, abs=1e-4)


def test_twice_the_same(detector):
    frames = [scene(*faces) for faces in SCENES[:3]]
    assert detector.largest(frames) == detector.largest(frames)


def test_frames_of_several_sizes(detector):
    frames = [
        scene((0, 40, 20, 400)),
        scene((1, 10, 10, 200), height=240, width=320),
        scene((1, 300, 200, 260)),
        np.zeros((16, 300, 3), np.uint8),
    ]
    found = detector.largest(frames)
    assert found[3] is None
    for frame, detection in zip(frames[:3], found, strict=False):
        np.testing.assert_allclose(detection.box, detector.largest([frame])[0].box, atol=0.01)
    assert detector.largest([]) == []


def test_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert detector.largest([np.zeros((200, 300, 3), np.uint8), noise]) == [None, None]


@pytest.mark.parametrize("frame", [np.zeros((50, 50)), np.zeros((50, 50, 3)), np.zeros((50, 50, 4), np.uint8)])
def test_other_arrays_are_errors(detector, frame):
    with pytest.raises(ValueError, match="uint8 arrays"):
        detector.largest([frame])


@pytest.mark.parametrize("wrong", [{"thresholds": (0.8, 0.8)}, {"thresholds": (0.8, 0.8, 8)}, {"min_face": 5}])
def test_senseless_settings_are_errors(wrong):
    with pytest.raises(ValueError, match="must be"):
        FaceDetector(**wrong)


def test_area():
    assert Detection((1.0, 2.0, 4.0, 8.0), 0.9).area == 18


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
