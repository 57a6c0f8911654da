import hashlib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest.mock import DEFAULT, Mock

import cv2
import numpy as np
import pandas as pd
import pytest
from forked import start
from video_files import clips, damage, encode, frames_of

from sr_deepfake.data.extraction import face_search
from sr_deepfake.data.extraction import pipeline as extraction
from sr_deepfake.data.extraction.pipeline import extract_faces
from sr_deepfake.data.extraction.settings import ExtractionSettings, check_settings
from sr_deepfake.data.extraction.summary import ExtractionSummary
from sr_deepfake.data.extraction.video import draw_frame_indices
from sr_deepfake.data.manifest import SCHEMA, Video
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=3)
NAMES = (
    "pristine/000",
    "pristine/003",
    "FaceSwap/000_003",
    "FaceSwap/003_000",
    "Deepfakes/000_003",
    "Deepfakes/003_000",
)


def videos_in(folder: Path) -> list[Video]:
    return [Video(name, folder / f"{name}.mp4", fake=not name.startswith("pristine")) for name in NAMES]


def extract(videos: list[Video], out: Path, settings: ExtractionSettings = SETTINGS, **options) -> ExtractionSummary:
    return extract_faces(videos, out, settings, **{"workers": 0, "progress": False, **options})


def counts(summary: ExtractionSummary) -> tuple[int, int, int, int]:
    return summary.videos, summary.extracted, summary.reused, summary.faces


def faces_in(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "faces.parquet")


def contents(out: Path) -> dict[str, bytes]:
    """All files that a run leaves."""
    files = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A folder of videos, which are clips of people."""
    root = tmp_path_factory.mktemp("tree")
    for video, clip in zip(videos_in(root), clips(), strict=False):
        video.path.parent.mkdir(exist_ok=True)
        shutil.copyfile(clip, video.path)
    return root


@pytest.fixture(scope="module")
def videos(tree) -> list[Video]:
    return videos_in(tree)


@pytest.fixture(scope="module")
def undisturbed(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    assert counts(extract(videos, out)) == (6, 6, 0, 18)
    return out


def test_manifest_tells_what_the_crops_are(videos, undisturbed):
    faces = faces_in(undisturbed)
    assert list(faces.columns) == SCHEMA.names
    sources = {video.video_id: video for video in videos}
    assert faces["video_id"].value_counts().to_dict() == dict.fromkeys(sources, 3)
    for row in faces.itertuples():
        png = (undisturbed / row.path).read_bytes()
        assert hashlib.sha256(png).hexdigest() == row.sha256
        assert row.path == f"{row.face_id}.png" == f"{row.video_id}/{row.frame:04d}.png"
        frame = frames_of(sources[row.video_id].path)[row.frame]
        assert (row.frame_height, row.frame_width) == frame.shape[:2]
        assert row.side % 24 == 0
        crop = frame[row.crop_top : row.crop_top + row.side, row.crop_left : row.crop_left + row.side]
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image[:, :, ::-1], crop)  # lossless, RGB, not resampled
        assert row.crop_left < (row.box_left + row.box_right) / 2 < row.crop_left + row.side
        assert row.probability > 0.8


def test_a_finished_video_is_not_repeated_and_its_faces_outlive_it(tree, undisturbed, tmp_path, monkeypatch):
    root, out = shutil.copytree(tree, tmp_path / "tree"), shutil.copytree(undisturbed, tmp_path / "out")
    monkeypatch.setattr(face_search, "read_frames", lambda *_: pytest.fail("a video was read again"))
    for _ in range(2):
        assert counts(extract(videos_in(root), out)) == (6, 0, 6, 18)
        assert contents(out) == contents(undisturbed)
        shutil.rmtree(root, ignore_errors=True)


def test_processes_change_nothing(videos, undisturbed, tmp_path, monkeypatch):
    """Of which there is one for each core, unless another number is asked for."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    extract(videos, tmp_path, workers=None)
    assert contents(tmp_path) == contents(undisturbed)


def test_other_settings_another_source_or_a_lost_crop_are_extracted_again(tree, undisturbed, tmp_path):
    root, out = shutil.copytree(tree, tmp_path / "tree"), shutil.copytree(undisturbed, tmp_path / "out")
    next(out.rglob("*.png")).unlink()
    assert extract(videos_in(root), out).extracted == 1
    assert contents(out) == contents(undisturbed)

    fewer = ExtractionSettings(frames=2)
    assert counts(extract(videos_in(root), out, fewer)) == (6, 6, 0, 12)
    assert len(faces_in(out)) == len(list(out.rglob("*.png"))) == 12

    shutil.copyfile(clips()[20], root / f"{NAMES[0]}.mp4")
    assert counts(extract(videos_in(root), out, fewer)) == (6, 1, 5, 12)


def test_shards_together_make_the_whole(videos, undisturbed, tmp_path):
    assert [extract(videos, tmp_path, shard=(i, 4)).videos for i in range(4)] == [2, 2, 1, 1]
    assert contents(tmp_path) == contents(undisturbed)


def test_two_runs_at_once_in_one_folder(videos, undisturbed, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(extract, videos, tmp_path) for _ in range(2)]
    assert [run.result().faces for run in runs] == [18, 18]
    assert contents(tmp_path) == contents(undisturbed)


def test_damaged_videos_are_skipped_and_listed(tmp_path):
    folder, out = tmp_path / "damaged", tmp_path / "out"
    reasons = damage(folder, clips()[0])
    shutil.copy(clips()[1], folder / "good.mp4")
    damaged = [Video(f"FaceSwap/{name}", folder / f"{name}.mp4", fake=True) for name in ["good", *reasons]]
    summary = extract(damaged, out, ExtractionSettings())
    assert counts(summary) == (len(reasons) + 1, 1, 0, 10)
    assert sum(summary.skipped.values()) == len(reasons) >= 10
    assert summary.frames_skipped == {"no face": 40}  # all frames of the black one
    assert set(faces_in(out)["video_id"]) == {"FaceSwap/good"}

    table = pd.read_csv(out / "skipped.csv", keep_default_na=False)
    assert list(table.columns) == ["video_id", "frame", "reason", "detail"]
    listed = table[table["frame"] == ""].set_index("video_id")
    assert listed["detail"].all()
    assert listed["reason"].to_dict() == {f"FaceSwap/{name}": reason for name, reason in reasons.items()}
    assert list(table[table["frame"] != ""]["video_id"].unique()) == ["FaceSwap/black"]
    text = str(summary)
    assert "10 from 1 of" in text
    assert "2 truncated" in text
    assert "skipped.csv" in text


def test_a_repaired_video_is_tried_again_and_a_broken_one_is_not(tmp_path, monkeypatch):
    shutil.copy(clips()[0], tmp_path / "000.mp4")
    (tmp_path / "001.mp4").write_text("broken")
    few = [Video(f"pristine/{name}", tmp_path / f"{name}.mp4") for name in ("000", "001", "002")]
    out = tmp_path / "out"
    assert extract(few, out).skipped == {"unreadable": 1, "missing": 1}
    with monkeypatch.context() as patch:
        patch.setattr(face_search, "read_frames", lambda *_: pytest.fail("read again"))
        assert extract(few, out).skipped == {"unreadable": 1, "missing": 1}
    for clip, video in zip(clips()[1:], few[1:], strict=False):
        shutil.copy(clip, video.path)
    summary = extract(few, out)
    assert (summary.extracted, summary.reused, summary.skipped) == (2, 1, {})
    assert len(pd.read_csv(out / "skipped.csv")) == 0


def test_an_output_folder_that_cannot_be_is_an_error_that_names_it(videos, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"Extracting faces into .*file.*same command goes on"):
        extract(videos, tmp_path / "file" / "out")


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(videos, undisturbed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        full = Mock(wraps=extraction.publish, side_effect=[DEFAULT] * 3 + [OSError(28, "No space left on device")])
        patch.setattr(extraction, "publish", full)
        with pytest.raises(UserError, match="No space left"):
            extract(videos, tmp_path)
    assert extract(videos, tmp_path).reused == 3
    assert contents(tmp_path) == contents(undisturbed)


def interrupted_clip(path: Path, faces: list[int]) -> Video:
    """A clip whose 40 frames are black but for some."""
    person = frames_of(clips()[0])[0]
    encode(path, [person if index in faces else np.zeros_like(person) for index in range(40)])
    return Video("pristine/000", path)


@pytest.mark.parametrize("with_face", [12, 4, 1])
def test_a_frame_without_a_face_is_drawn_again_until_there_are_enough_or_none_is_left(tmp_path, with_face):
    """Ten faces a video, as the paper says (section 4.1), not ten frames."""
    order = draw_frame_indices("000", 40, 40)
    faces = order[3::3][:with_face]  # the first draw of ten has three of them
    video = interrupted_clip(tmp_path / "000.mp4", faces)
    for settings in (ExtractionSettings(), ExtractionSettings(frames=2)):
        out = tmp_path / f"out{settings.frames}"
        extract([video], out, settings)
        assert faces_in(out)["frame"].tolist() == sorted(faces[: settings.frames])
        looked_at = order[: order.index(faces[settings.frames - 1]) + 1] if with_face >= settings.frames else order
        skipped = pd.read_csv(out / "skipped.csv")
        assert sorted(skipped["frame"]) == sorted(set(looked_at) - set(faces))


def test_at_most_so_many_frames_are_looked_at_and_not_one_face_is_an_error_that_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(face_search, "MOST_DRAWN", 25)
    video = interrupted_clip(tmp_path / "000.mp4", draw_frame_indices("000", 40, 40)[25:])
    with pytest.raises(UserError, match=r"Not one face(.|\n)*1 no face"):
        extract([video], tmp_path / "out", ExtractionSettings())
    assert len(pd.read_csv(tmp_path / "out" / "skipped.csv")) == 1 + 25


def test_a_crop_on_the_shorter_side_is_smaller_and_its_settings_are_stored(videos, undisturbed, tmp_path):
    shorter = replace(SETTINGS, square="shorter")
    extract(videos, tmp_path, shorter)
    before, after = (faces_in(out).set_index("face_id")["side"] for out in (undisturbed, tmp_path))
    assert (after <= before).all()
    assert (after < before).any()
    check_settings(tmp_path, replace(shorter, timeout=1))
    with pytest.raises(UserError, match=r"margin=0\.1, not 0\.9; extraction\.square=shorter, not longer.*prepare"):
        check_settings(tmp_path, replace(SETTINGS, margin=0.9))


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again(videos, undisturbed, tmp_path):
    process = start(extract, videos, tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("*/*/video.json")):
        assert process.is_alive(), "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.join()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/video.json")}
    assert len(kept) < 6
    assert not (tmp_path / "faces.parquet").exists()
    assert counts(extract(videos, tmp_path)) == (6, 6 - len(kept), len(kept), 18)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert contents(tmp_path) == contents(undisturbed)
