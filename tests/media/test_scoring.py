import pytest
import torch
from PIL import Image
from scenes import two_people

from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.media.face_scores import FaceScorer
from sr_deepfake.media.faces import FaceFinder
from sr_deepfake.media.scoring import score_files


def brightness(faces, attacked=False):
    return faces.mean((1, 2, 3)).double()


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    Image.fromarray(two_people()).save(paths[0])
    Image.fromarray(two_people() // 2 + 60).save(paths[1])
    return paths


def scored(files, **scorers):
    finder = FaceFinder(FaceDetector())
    return score_files(files, finder, scorers, ExtractionSettings(), show=False)


def test_scores_of_a_file_that_failed_are_not_in_the_next_ones_row(files):
    """Out of memory in the first file: its partial scores stood in the second's row."""
    alone = scored(files[1:], net=FaceScorer(brightness))[0].scores
    errors = [torch.OutOfMemoryError("out of memory")]

    def fails_once(faces, attacked=False):
        if errors:
            raise errors.pop()
        return brightness(faces)

    first, second = scored(files, net=FaceScorer(fails_once))
    assert "out of memory" in first.fault
    assert first.scores.faces == 0
    assert second.scores == alone


def test_each_detector_has_one_row_a_file(files):
    """Where the second failed, the first had two rows: a good one, and one that blamed it."""

    def broken(faces, attacked=False):
        raise RuntimeError("no such layer")

    rows = scored(files, good=FaceScorer(brightness), bad=FaceScorer(broken))
    assert [(row.path.name, row.detector, bool(row.fault)) for row in rows] == [
        ("a.png", "good", False), ("a.png", "bad", True), ("b.png", "good", False), ("b.png", "bad", True),
    ]  # fmt: skip
    assert "no such layer" in rows[1].fault
