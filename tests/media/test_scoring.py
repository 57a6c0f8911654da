import numpy as np
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
    for name, shade in (("a.png", 0), ("b.png", 60)):
        Image.fromarray(np.clip(two_people().astype(int) + shade, 0, 255).astype(np.uint8)).save(tmp_path / name)
    return [tmp_path / name for name in ("a.png", "b.png")]


def scored(files, **scorers):
    finder = FaceFinder(FaceDetector())
    return score_files(files, finder, scorers, ExtractionSettings(), show=False)


def test_scores_of_a_file_that_failed_are_not_in_the_next_ones_row(files):
    """Out of memory in the first file: its partial scores stood in the second's row."""
    alone = scored(files[1:], net=FaceScorer(brightness))[0].scores
    scorer = FaceScorer(brightness)
    calls = []

    def fails_once(faces, attacked=False):
        calls.append(len(faces))
        if len(calls) == 1:
            raise torch.OutOfMemoryError("out of memory")
        return brightness(faces)

    scorer.score = fails_once
    first, second = scored(files, net=scorer)
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
