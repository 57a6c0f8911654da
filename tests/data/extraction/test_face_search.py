from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import scene
from video_files import clips, encode

from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.data.extraction.face_search import manipulated_face
from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.extraction.summary import ExtractionSummary
from sr_deepfake.data.manifest import Video

SMALL = (320, 60, 160)  # left, top, side of the smaller of two people
LARGE = (20, 20, 240)
ONE = Video("FaceSwap/000_003", clips()[0], fake=True)


@pytest.fixture(scope="module")
def fake(tmp_path_factory) -> Video:
    """A video of two people, whose mask is not there."""
    folder = tmp_path_factory.mktemp("people")
    picture = scene(("000", *LARGE), ("001", *SMALL), height=300, width=500)
    return Video("FaceSwap/071_054", encode(folder / "071_054.mp4", [picture] * 12), fake=True)


def extract(out: Path, *videos: Video) -> ExtractionSummary:
    return extract_faces(videos, out, ExtractionSettings(frames=4), workers=0, progress=False)


def check_faces(out: Path, person: tuple[int, int, int]) -> None:
    """All faces are those of a person."""
    faces = pd.read_parquet(out / "faces.parquet")
    middle = person[0] + person[2] // 2
    assert (faces["crop_left"] + faces["side"] / 2).tolist() == pytest.approx([middle] * 4, abs=20)


def test_without_a_mask_the_largest_face_is_taken_and_the_video_is_named(fake, tmp_path):
    summary = extract(tmp_path, fake)
    check_faces(tmp_path, LARGE)
    assert summary.ambiguous == ("FaceSwap/071_054",)
    assert "1 videos (FaceSwap/071_054)" in summary.render()
    assert "manipulated_sequences/<method>/masks/videos" in summary.render()


def test_pristine_videos_and_those_of_one_person_are_not(fake, tmp_path):
    summary = extract(tmp_path, fake._replace(video_id="pristine/071", fake=False), ONE)
    assert (summary.extracted, summary.ambiguous) == (2, ())
    assert "several" not in summary.render()


def mask_of(left: int, top: int, side: int) -> np.ndarray:
    """White on the middle of a person's picture."""
    mask = np.zeros((300, 500, 3), np.uint8)
    return cv2.ellipse(mask, (left + side // 2, top + side // 2), (side // 5, side // 4), 0, 0, 360, (255,) * 3, -1)


def test_with_a_mask_the_face_under_it_is_taken(fake, tmp_path):
    out, mask = tmp_path / "out", tmp_path / "mask.mp4"
    extract(out, fake)
    # In half of the frames nothing was manipulated, and of the last two the mask tells nothing.
    encode(mask, [mask_of(*SMALL), np.zeros((300, 500, 3), np.uint8)] * 5)
    masked = fake._replace(mask=mask)
    summary = extract(out, masked)
    assert summary.extracted == 1  # again, since there was no mask before
    assert summary.ambiguous == ()
    check_faces(out, SMALL)
    assert set(pd.read_parquet(out / "faces.parquet")["frame"]) <= set(range(0, 10, 2))
    skipped = pd.read_csv(out / "skipped.csv")
    assert set(skipped["reason"][skipped["frame"] % 2 == 1]) <= {"the mask is empty", "no mask"}
    assert extract(out, masked).reused == 1

    mask.write_bytes(b"broken")
    assert extract(out, masked, ONE).skipped == {"mask unreadable": 1}
    assert str(mask) in (out / "skipped.csv").read_text()


boxes = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(5, 40)] * 2).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@given(st.lists(boxes, min_size=1, max_size=4), boxes)
def test_the_face_is_the_one_of_the_best_intersection_over_union(faces, white):
    mask = np.zeros((100, 100, 3), np.uint8)
    mask[white[1] : white[3], white[0] : white[2]] = 255

    def overlap(box):
        one, other = np.zeros((100, 100), bool), mask[..., 0] > 0
        one[box[1] : box[3], box[0] : box[2]] = True
        return (one & other).sum() / (one | other).sum()

    found, why = manipulated_face([Detection(box, 0.9) for box in faces], mask)
    best = max(map(overlap, faces))
    if best == 0:
        assert (found, why) == (None, "no face under the mask")
    else:
        assert overlap(found.box) == pytest.approx(best)


@pytest.mark.parametrize(("side", "rivals"), [(None, 0), (160, 1), (220, 1), (80, 0)])
def test_rivals_are_faces_of_similar_size(side, rivals):
    others = [("001", 270, 40, side)] if side else []
    frame = scene(("000", *LARGE), *others, height=300, width=500)
    assert FaceDetector().largest([frame])[0].rivals == rivals
