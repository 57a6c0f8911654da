import io
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from video_files import clips, frames_of

from sr_deepfake.data import leaks
from sr_deepfake.data.leaks import BITS, SIMILAR, Leaks, find_leaks, look_for_leaks, picture_print
from sr_deepfake.data.manifest import SPLITS
from sr_deepfake.data.sources.folder_files import SplitRule, list_files
from sr_deepfake.system.errors import UserError


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
        patch.setattr(leaks, "BLOCK", block)
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


FRAMES = {"a": "00" * 32, "b": "ff" * 32, "c": "0f" * 32}


def faces_of(
    root: Path, folder: Path, pictures: dict[str, str], rule: SplitRule
) -> tuple[object, pd.DataFrame]:
    """A folder whose files show the named pictures, one frame each, and the rows and records of its faces."""
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    files = list_files(root, rule)
    rows = []
    for video in files.videos:
        picture = pictures[video.path.relative_to(root).as_posix()]
        (folder / video.video_id).mkdir(parents=True)
        record = {"phash": {"0": FRAMES.get(picture, picture * 32)}}
        (folder / video.video_id / "video.json").write_text(json.dumps(record))
        rows.append({"video_id": video.video_id, "split": video.split, "frame": 0, "sha256": picture})
    return files, pd.DataFrame(rows)


def test_leaks_are_listed_by_the_names_of_the_files(tmp_path):
    pictures = {
        "train/real/x\n1.png": "a", "train/fake/2.png": "1e", "val/real/3.png": "b", "val/fake/4.png": "c",
        "test/real/5.png": "a", "test/fake/6.png": "5a",
    }  # fmt: skip
    files, rows = faces_of(tmp_path / "root", tmp_path / "faces", pictures, SplitRule())
    leaks = look_for_leaks(rows, tmp_path / "faces", files, by_identity=False)
    listed = pd.read_csv(leaks.path)
    assert listed[["kind", "distance", "split", "file", "other_split", "other_file"]].to_numpy().tolist() == [
        ["identical", 0, "train", "train/real/x\\n1.png", "test", "test/real/5.png"]
    ]
    (copy,) = leaks.dropped
    assert copy.startswith("pristine/x_1-")
    assert "1 pairs of files (1 identical)" in leaks.render()


def test_identities_in_two_splits_leak(tmp_path):
    pictures = {
        f"{s}/{k}/{n}.png": "" for s in ("train", "val", "test") for k in ("real", "fake") for n in range(2)
    }
    pictures |= {"train/real/anna_1.png": "", "train/fake/anna_2.png": "", "test/real/anna_3.png": ""}
    pictures = {name: f"{29 * number:02x}" for number, name in enumerate(pictures)}
    pictures = {
        (name if "anna" in name else name.replace(".png", f"x{i}.png")): p
        for i, (name, p) in enumerate(pictures.items())
    }
    files, rows = faces_of(
        tmp_path / "root", tmp_path / "faces", pictures, SplitRule(identity=r"^([a-z]+|\d+x\d+)")
    )
    assert look_for_leaks(rows, tmp_path / "faces", files, by_identity=False).pairs.empty
    leaks = look_for_leaks(rows, tmp_path / "faces", files, by_identity=True)
    assert leaks.pairs["kind"].tolist() == ["identity"] * 2
    assert sorted(name.split("-")[0] for name in leaks.dropped) == ["fake/anna_2", "pristine/anna_1"]


def test_what_is_done_about_leaks(tmp_path, caplog):
    pairs = pd.DataFrame({"kind": ["similar"], "video_id": ["fake/a"]})
    leaks = Leaks(pairs, tmp_path / "leaks.csv")
    with pytest.raises(UserError, match=r"1 pairs .*leaks\.csv.*data\.leaks=drop"):
        leaks.act("error")
    assert caplog.text == ""
    leaks.act("warn")
    assert "1 similar" in caplog.text
    leaks.act("drop")
    assert "1 files are left out" in caplog.text
    for policy in ("warn", "error", "drop"):
        caplog.clear()
        Leaks(pairs[:0], tmp_path).act(policy)
        assert caplog.text == ""


def test_records_without_prints_are_refused(tmp_path):
    rows = pd.DataFrame({"video_id": ["fake/a"], "split": ["train"], "frame": [0], "sha256": ["x"]})
    with pytest.raises(UserError, match=r"sr_deepfake\.prepare data=folder"):
        look_for_leaks(rows, tmp_path, None, by_identity=False)
