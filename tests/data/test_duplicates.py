import io
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from video_files import clips, frames_of

from sr_deepfake.data import leaks as duplicates
from sr_deepfake.data.leaks import BITS, SIMILAR, find_leaks, picture_print
from sr_deepfake.data.manifest import SPLITS


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def bits(text: str) -> np.ndarray:
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), np.uint8))


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return [frames_of(path)[0] for path in clips()[:40]]


@pytest.mark.parametrize(
    "change",
    [
        lambda image: jpeg(image, 20),
        lambda image: resized(image, 0.25),
        lambda image: resized(image, 2),
        lambda image: jpeg(resized(image, 0.5), 50),
        lambda image: (image * 1.1 + 8).clip(0, 255).astype(np.uint8),
    ],
    ids=["jpeg", "smaller", "larger", "both", "brighter"],
)
def test_prints_of_copies_are_alike(pictures, change):
    for image in pictures:
        assert (bits(picture_print(image)) != bits(picture_print(change(image)))).sum() <= SIMILAR


def test_prints_of_different_people_differ(pictures):
    prints = np.stack([bits(picture_print(image)) for image in pictures])
    distance = (prints[:, None] != prints[None]).sum(axis=2)
    assert distance[np.triu_indices(len(prints), 1)].min() > 3 * SIMILAR


def table(rng: np.random.Generator, count: int) -> pd.DataFrame:
    """Faces with prints near a few centres, some of equal pixels."""
    centres = rng.integers(0, 2, (4, BITS))
    prints = centres[rng.integers(0, 4, count)] ^ (
        rng.random((count, BITS)) < rng.choice([0, 0.04, 0.1], (count, 1))
    )
    return pd.DataFrame(
        {
            "video_id": [f"v{number}" for number in rng.integers(0, max(1, count // 2), count)],
            "sha256": [f"{number}" for number in rng.integers(0, 3 * count + 1, count)],
            "print": [np.packbits(row.astype(np.uint8)).tobytes().hex() for row in prints],
        }
    )


@given(st.integers(0, 10_000), st.integers(1, 40), st.sampled_from([3, 7, 4096]))
def test_leaks_are_those_of_a_plain_loop(seed, count, block):
    rng = np.random.default_rng(seed)
    faces = table(rng, count)
    faces["split"] = [SPLITS[int(video[1:]) % 3] for video in faces["video_id"]]  # a file is in one split
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BLOCK", block)
        found = find_leaks(faces)
    every = {}
    for a, b in itertools.product(faces.itertuples(), repeat=2):
        if SPLITS.index(a.split) < SPLITS.index(b.split):
            distance = int((bits(a.print) != bits(b.print)).sum())
            if a.sha256 == b.sha256 or distance <= SIMILAR:
                every.setdefault((a.video_id, b.video_id), []).append((distance, a.sha256 == b.sha256))
    pairs = set(zip(found["video_id"], found["other_video_id"], strict=True))
    assert pairs <= set(every)
    assert len(pairs) == len(found)
    assert {one for one, _ in pairs} == {
        one for one, _ in every
    }  # every file that leaks is listed, on both sides
    assert {other for _, other in pairs} == {other for _, other in every}
    for row in found.itertuples():
        assert (row.split, row.other_split) == (
            SPLITS[int(row.video_id[1:]) % 3],
            SPLITS[int(row.other_video_id[1:]) % 3],
        )
        same = [equal for _, equal in every[row.video_id, row.other_video_id]]
        if row.kind == "identical":
            assert any(same)
        else:
            assert row.distance in [distance for distance, _ in every[row.video_id, row.other_video_id]]


def test_no_faces_have_no_leaks():
    assert find_leaks(pd.DataFrame(columns=["video_id", "split", "sha256", "print"])).empty
