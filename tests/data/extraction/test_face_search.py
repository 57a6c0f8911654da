from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_files import clips, encode, frames_of

from sr_deepfake.data.extraction.face_detection import Detection, FaceDetector
from sr_deepfake.data.extraction.face_search import manipulated_face
from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import FORGERY_METHODS, Video, videos_of
from sr_deepfake.data.sources import ffpp

SETTINGS = ExtractionSettings(frames=4)
COUNT = 12  # frames of a video
SMALL = (320, 60, 160)  # left, top, side of the smaller of two people
LARGE = (20, 20, 240)


def two_people() -> np.ndarray:
    frame = np.full((300, 500, 3), 90, np.uint8)
    for which, (left, top, side) in ((0, LARGE), (1, SMALL)):
        person = cv2.resize(frames_of(clips()[which])[0], (side, side), interpolation=cv2.INTER_AREA)
        frame[top : top + side, left : left + side] = person
    return frame


def mask_of(place: tuple[int, int, int] | None) -> np.ndarray:
    """White on the middle of a person's picture."""
    mask = np.zeros((300, 500, 3), np.uint8)
    if place:
        left, top, side = place
        cv2.ellipse(mask, (left + side // 2, top + side // 2), (side // 5, side // 4), 0, 0, 360, (255,) * 3, -1)
    return mask


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> Path:
    """A tree with one video of two people, in the layout of FaceForensics++; no mask."""
    root = tmp_path_factory.mktemp("people")
    for folder, name in (("original_sequences/youtube", "071"), ("manipulated_sequences/FaceSwap", "071_054")):
        path = root / folder / "c23" / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True)
        encode(path, [two_people()] * COUNT)
    return root


def fake_of(root: Path) -> Video:
    return next(video for video in videos_of(ffpp.videos(root)) if video.fake and video.path.exists())


def centres(out: Path) -> list[int]:
    faces = pd.read_parquet(out / "faces.parquet")
    return sorted(int(left + side / 2) for left, side in zip(faces["crop_left"], faces["side"], strict=True))


def middle(place: tuple[int, int, int]) -> int:
    return place[0] + place[2] // 2


def test_without_a_mask_the_largest_face_is_taken_and_the_video_is_named(people, tmp_path):
    summary = extract_faces([fake_of(people)], tmp_path, SETTINGS, workers=0, progress=False)
    assert centres(tmp_path) == pytest.approx([middle(LARGE)] * 4, abs=20)
    assert summary.ambiguous == ("FaceSwap/071_054",)
    assert "1 videos (FaceSwap/071_054)" in summary.render()
    assert "manipulated_sequences/<method>/masks/videos" in summary.render()


def test_pristine_videos_and_those_of_one_person_are_not(people, tmp_path):
    pristine = next(video for video in videos_of(ffpp.videos(people)) if video.path.exists() and not video.fake)
    one = Video("FaceSwap/000_003", clips()[0], fake=True)
    summary = extract_faces([pristine, one], tmp_path, SETTINGS, workers=0, progress=False)
    assert (summary.extracted, summary.ambiguous) == (2, ())
    assert "several" not in summary.render()


def test_with_a_mask_the_face_under_it_is_taken(people, tmp_path):
    out = tmp_path / "out"
    extract_faces([fake_of(people)], out, SETTINGS, workers=0, progress=False)
    mask = people / "manipulated_sequences/FaceSwap/masks/videos/071_054.mp4"
    mask.parent.mkdir(parents=True)
    try:
        # In half of the frames nothing was manipulated, and of the last two the mask tells nothing.
        order = [SMALL, None] * (COUNT // 2 - 1)
        encode(mask, [mask_of(place) for place in order])
        summary = extract_faces([fake_of(people)], out, SETTINGS, workers=0, progress=False)
        assert summary.extracted == 1  # again, since there was no mask before
        assert centres(out) == pytest.approx([middle(SMALL)] * 4, abs=20)
        assert set(pd.read_parquet(out / "faces.parquet")["frame"]) <= set(range(0, COUNT - 2, 2))
        assert summary.ambiguous == ()
        skipped = pd.read_csv(out / "skipped.csv")
        assert set(skipped["reason"][skipped["frame"] % 2 == 1]) <= {"the mask is empty", "no mask"}
        assert extract_faces([fake_of(people)], out, SETTINGS, workers=0, progress=False).reused == 1

        mask.write_bytes(b"broken")
        summary = extract_faces([fake_of(people), *_one()], out, SETTINGS, workers=0, progress=False)
        assert summary.skipped == {"mask unreadable": 1}
        assert str(mask) in (out / "skipped.csv").read_text()
    finally:
        mask.unlink()


def _one() -> list[Video]:
    return [Video("FaceSwap/000_003", clips()[0], fake=True)]


def test_every_official_method_has_its_masks_looked_for(tmp_path):
    folder = tmp_path / "original_sequences/youtube/c23/videos"
    folder.mkdir(parents=True)
    (folder / "071.mp4").touch()
    for method in FORGERY_METHODS:
        mask = tmp_path / "manipulated_sequences" / method / "masks" / "videos" / "071_054.mp4"
        mask.parent.mkdir(parents=True)
        mask.touch()
    masked = {video.video_id for video in videos_of(ffpp.videos(tmp_path)) if video.mask}
    assert masked == {f"{method}/071_054" for method in FORGERY_METHODS}


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
    frame = np.full((300, 500, 3), 90, np.uint8)
    for which, (left, top, size) in ((0, LARGE), (1, (270, 40, side))):
        if size:
            person = cv2.resize(frames_of(clips()[which])[0], (size, size), interpolation=cv2.INTER_AREA)
            frame[top : top + size, left : left + size] = person
    assert FaceDetector().largest([frame])[0].rivals == rivals
