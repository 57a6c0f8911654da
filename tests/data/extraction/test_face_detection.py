import cv2
import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import batched_nms_numpy, pad
from scenes import scene
from torchvision.ops import box_iou

from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.data.extraction.mtcnn_boxes import area_means, clip_to_frame, suppress_contained


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


@pytest.mark.parametrize("thresholds", [(0.8, 0.8, 0.8), (0.6, 0.7, 0.7)])
def test_finds_the_faces_that_facenet_pytorch_finds(frames, thresholds):
    detector, reference = FaceDetector(thresholds), MTCNN(thresholds=list(thresholds), keep_all=True)
    every = detector.all(frames)
    assert [min(len(faces), 2) for faces in every] == [1, 1, 1, 1, 2, 2, 1, 0]
    for frame, faces, largest in zip(frames[:-1], every, detector.largest(frames), strict=False):
        boxes, probabilities = reference.detect(frame)  # largest first, too
        np.testing.assert_allclose([face.box for face in faces], boxes.astype(float), atol=0.01)
        np.testing.assert_allclose([face.probability for face in faces], probabilities.astype(float), atol=1e-4)
        assert box_iou(torch.tensor([largest.box]), torch.tensor(boxes[:1].astype(float))) >= 0.9
        assert thresholds[2] < largest.probability <= 1


def test_frames_of_several_sizes_do_not_influence_each_other(detector, frames):
    together, reverse = detector.largest(frames), detector.largest(frames[::-1])[::-1]
    assert together == detector.largest(frames)
    for frame, *found in zip(frames, together, reverse, strict=True):
        (alone,) = detector.largest([frame])
        for face in found:
            assert (face is None) == (alone is None)
            if face and alone:
                np.testing.assert_allclose(face.box, alone.box, atol=0.01)
                assert face.probability == pytest.approx(alone.probability, abs=1e-4)
    assert detector.largest([]) == []


def test_no_face(detector):
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    assert detector.largest([np.zeros((200, 300, 3), np.uint8), noise, scene(), BLACK]) == [None] * 4


@pytest.mark.parametrize("frame", [np.zeros((50, 50)), np.zeros((50, 50, 3)), np.zeros((50, 50, 4), np.uint8)])
def test_other_arrays_are_errors(detector, frame):
    with pytest.raises(ValueError, match="uint8 arrays"):
        detector.largest([frame])


@pytest.mark.parametrize("wrong", [{"thresholds": (0.8, 0.8)}, {"thresholds": (0.8, 0.8, 8)}, {"min_face": 5}])
def test_senseless_settings_are_errors(wrong):
    with pytest.raises(ValueError, match="must be"):
        FaceDetector(**wrong)


def test_area_means_of_a_frame_whose_sums_overflow():
    frame = np.full((2600, 3300, 3), 255, np.uint8)  # its sum is beyond 2^31
    np.testing.assert_array_equal(area_means(cv2.integral(frame), (0, 0, 3300, 2600), (7, 9)), 255)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_clipped_and_suppressed_as_in_facenet_pytorch(seed):
    generator = np.random.default_rng(seed)
    corner, size = generator.uniform(-20, 180, (60, 2)), generator.uniform(10, 80, (60, 2))
    boxes = np.concatenate([corner, corner + size, generator.uniform(0, 1, (60, 1))], axis=1).astype(np.float32)
    edges, scores = torch.from_numpy(boxes[:, :4]), torch.from_numpy(boxes[:, 4])

    corners, inside = clip_to_frame(boxes[:, :4], 150, 200)
    y, stop_y, x, stop_x = pad(edges, 200, 150)
    assert inside.tolist() == ((stop_y > y - 1) & (stop_x > x - 1)).tolist()
    np.testing.assert_array_equal(corners, np.stack([x - 1, y - 1, stop_x, stop_y], axis=1))

    kept = batched_nms_numpy(edges, scores, torch.zeros(60), 0.7, "Min")
    np.testing.assert_array_equal(suppress_contained(boxes, 0.7), boxes[kept.numpy()])
