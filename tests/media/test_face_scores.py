import math
from dataclasses import astuple

import numpy as np
import pytest
from photo_faces import as_faces

from sr_deepfake.media.face_scores import PENDING, FaceScorer
from sr_deepfake.metrics.similarity import psnr, ssim


def score(faces, attacked=False):
    """How bright a face is; attacked ones are taken for a little brighter, so that a mix-up shows."""
    return (faces.mean((1, 2, 3)).double() * 4 - 2 + attacked / 4).sigmoid()


def faces(count, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 256, (side, side, 3), dtype=np.uint8) // 2 + 40 for side in [24, 48, 72] * count][:count]


@pytest.mark.parametrize("count", [1, 5, 2 * PENDING + 3])
def test_the_figures_are_those_of_a_plain_loop(count):
    before, after = faces(count), faces(count, seed=1)
    scorer = FaceScorer(score)
    for start in range(0, count, 7):
        scorer.add(before[start : start + 7], after[start : start + 7])
    found = scorer.finish()
    pairs = [(as_faces(face[None]), as_faces(other[None])) for face, other in zip(before, after, strict=True)]
    clean = [float(score(face)) for face, _ in pairs]
    attacked = [float(score(face, True)) for _, face in pairs]
    similarity = [np.mean([float(measure(*pair)) for pair in pairs]) for measure in (ssim, psnr)]
    expected = (count, np.mean(clean), max(clean), np.mean(attacked), max(attacked), *similarity)
    assert astuple(found) == pytest.approx(expected, abs=1e-6)
    assert scorer.finish().faces == 0
    assert scorer.scores(before) == pytest.approx(clean, abs=1e-6)


def test_without_attacked_faces_nothing_is_compared():
    scorer = FaceScorer(score)
    scorer.add(faces(2))
    found = scorer.finish()
    assert (found.faces, found.attacked, found.attacked_max, found.ssim, found.psnr) == (2, None, None, None, None)
    assert found.clean is not None
    scorer.add(faces(2), faces(2))
    found = scorer.finish()
    assert (found.ssim, found.psnr) == (1.0, math.inf)


def test_wrong_detectors_are_errors():
    with pytest.raises(ValueError, match=r"returned \(2, 3\) for 2 faces"):
        FaceScorer(lambda batch, attacked: batch.mean((2, 3))).scores([faces(1)[0]] * 2)
