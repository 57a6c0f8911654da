import hashlib
import json
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

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
from sr_deepfake.data.extraction.summary import ExtractionError, ExtractionSummary, OutputFolderError
from sr_deepfake.data.extraction.video import draw_frame_indices
from sr_deepfake.data.manifest import SCHEMA, SPLITS, Video
from sr_deepfake.data.manifest import videos_of as videos_in
from sr_deepfake.data.sources import ffpp
from sr_deepfake.data.sources.ffpp import PACKAGED_SPLITS
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=3)


def official_pairs(count: int) -> dict[str, list[list[str]]]:
    """The first pairs of each of the official lists."""
    return {split: json.loads((PACKAGED_SPLITS / f"{split}.json").read_text())[:count] for split in SPLITS}


def make_tree(root: Path, methods: tuple[str, ...] = ("FaceSwap",), pairs: int = 1) -> Path:
    """A small tree in the official layout; its videos are clips of people."""
    files = clips()
    pairs_of_splits = official_pairs(pairs)
    (root / "splits").mkdir(parents=True)
    place = 0
    for split, content in pairs_of_splits.items():
        (root / "splits" / f"{split}.json").write_text(json.dumps(content))
        for a, b in content:
            names = [("original_sequences/youtube", name) for name in (a, b)]
            names += [
                (f"manipulated_sequences/{method}", f"{x}_{y}") for method in methods for x, y in ((a, b), (b, a))
            ]
            for sequence, name in names:
                path = root / sequence / "c23" / "videos" / f"{name}.mp4"
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(files[place % len(files)], path)
                path.chmod(0o644)
                place += 1
    return root


def videos_of(root: Path, methods: tuple[str, ...] = ("FaceSwap",)) -> list[Video]:
    table = ffpp.videos(root)
    return videos_in(table[table["method"].isin(("pristine", *methods))])


def faces_in(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "faces.parquet")


def extract(root: Path, out: Path, workers: int | None = 0, **options) -> ExtractionSummary:
    return extract_faces(videos_of(root), out, options.pop("settings", SETTINGS), workers, progress=False, **options)


def contents(out: Path) -> dict[str, bytes]:
    """All files that a run leaves."""
    files = (path for path in out.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def undisturbed(tree, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    extract(tree, out)
    return out


def test_manifest_tells_what_the_crops_are(tree, undisturbed):
    faces = faces_in(undisturbed)
    assert len(faces) == 12 * 3
    assert list(faces.columns) == SCHEMA.names
    sources = {video.video_id: video for video in videos_of(tree)}
    for row in faces.itertuples():
        png = (undisturbed / row.path).read_bytes()
        assert hashlib.sha256(png).hexdigest() == row.sha256
        assert row.path == f"{row.face_id}.png" == f"{row.video_id}/{row.frame:04d}.png"
        video = sources[row.video_id]
        frame = frames_of(video.path)[row.frame]
        assert (row.frame_height, row.frame_width) == frame.shape[:2]
        assert row.side % 24 == 0
        crop = frame[row.crop_top : row.crop_top + row.side, row.crop_left : row.crop_left + row.side]
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image[:, :, ::-1], crop)  # lossless, RGB, not resampled
        assert row.crop_left < (row.box_left + row.box_right) / 2 < row.crop_left + row.side
        assert row.probability > 0.8


def test_a_finished_video_is_not_repeated(tree, tmp_path, monkeypatch):
    first = extract(tree, tmp_path)
    assert (first.videos, first.extracted, first.reused, first.faces) == (12, 12, 0, 36)
    before = contents(tmp_path)
    monkeypatch.setattr(face_search, "read_frames", lambda *_: pytest.fail("a video was read again"))
    second = extract(tree, tmp_path)
    assert (second.videos, second.extracted, second.reused, second.faces) == (12, 0, 12, 36)
    assert contents(tmp_path) == before


def test_processes_change_nothing(tree, undisturbed, tmp_path, monkeypatch):
    """Of which there is one for each core, unless another number is asked for."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    extract(tree, tmp_path, workers=None)
    assert contents(tmp_path) == contents(undisturbed)


def test_other_settings_or_another_source_are_extracted_again(tree, tmp_path):
    root = shutil.copytree(tree, tmp_path / "tree")
    out = tmp_path / "out"
    extract(root, out)
    again = extract(root, out, settings=ExtractionSettings(frames=2))
    assert (again.extracted, again.faces) == (12, 24)
    assert len(faces_in(out)) == 24
    assert len(list(out.rglob("*.png"))) == 24

    video = videos_of(root)[0]
    shutil.copy(clips()[20], video.path)
    again = extract(root, out, settings=ExtractionSettings(frames=2))
    assert (again.extracted, again.reused) == (1, 11)


def test_a_lost_crop_is_made_again(tree, undisturbed, tmp_path):
    out = shutil.copytree(undisturbed, tmp_path / "out")
    next(out.rglob("*.png")).unlink()
    assert extract(tree, out).extracted == 1
    assert contents(out) == contents(undisturbed)


def test_faces_outlive_their_videos(tree, undisturbed, tmp_path):
    root, out = shutil.copytree(tree, tmp_path / "tree"), shutil.copytree(undisturbed, tmp_path / "out")
    videos = videos_of(root)
    shutil.rmtree(root)
    summary = extract_faces(videos, out, SETTINGS, workers=0, progress=False)
    assert summary.reused == 12
    assert contents(out) == contents(undisturbed)


def test_runs_for_different_methods_extend_the_manifest(tmp_path):
    root = make_tree(tmp_path / "tree", ("FaceSwap", "Deepfakes"))
    for method in ("FaceSwap", "Deepfakes"):
        extract_faces(videos_of(root, (method,)), tmp_path / "out", SETTINGS, workers=0, progress=False)
    extract_faces(videos_of(root, ("FaceSwap", "Deepfakes")), tmp_path / "both", SETTINGS, workers=0, progress=False)
    assert contents(tmp_path / "out") == contents(tmp_path / "both")
    methods = faces_in(tmp_path / "out")["video_id"].str.split("/").str[0]
    assert set(methods) == {"pristine", "FaceSwap", "Deepfakes"}


def test_shards_together_make_the_whole(tree, undisturbed, tmp_path):
    counts = [extract(tree, tmp_path, shard=(i, 5)).videos for i in range(5)]
    assert counts == [3, 3, 2, 2, 2]
    assert contents(tmp_path) == contents(undisturbed)


def test_two_runs_at_once_in_one_folder(tree, undisturbed, tmp_path):
    errors = []

    def run() -> None:
        try:
            extract(tree, tmp_path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert contents(tmp_path) == contents(undisturbed)


def test_damaged_videos_are_skipped_and_listed(tmp_path):
    good, folder = clips()[1], tmp_path / "damaged"
    reasons = damage(folder, clips()[0])
    shutil.copy(good, folder / "good.mp4")
    videos = [Video(f"FaceSwap/{name}", folder / f"{name}.mp4", fake=True) for name in ["good", *reasons]]
    summary = extract_faces(videos, tmp_path / "out", ExtractionSettings(), workers=0, progress=False)
    assert (summary.videos, summary.extracted, summary.faces) == (len(reasons) + 1, 1, 10)
    assert sum(summary.skipped.values()) == len(reasons) >= 10
    assert summary.frames_skipped == {"no face": 40}  # all frames of the black one
    assert set(faces_in(tmp_path / "out")["video_id"]) == {"FaceSwap/good"}

    table = pd.read_csv(tmp_path / "out" / "skipped.csv", keep_default_na=False)
    assert list(table.columns) == ["video_id", "frame", "reason", "detail"]
    listed = table[table["frame"] == ""]
    assert dict(zip(listed["video_id"], listed["reason"], strict=True)) == {
        f"FaceSwap/{name}": reason for name, reason in reasons.items()
    }
    assert list(table[table["frame"] != ""]["video_id"].unique()) == ["FaceSwap/black"]
    text = summary.render()
    assert "10 from 1 of" in text
    assert "2 truncated" in text
    assert "skipped.csv" in text
    assert str(summary) == text


def test_a_repaired_video_is_tried_again_and_a_broken_one_is_not(tmp_path, monkeypatch):
    shutil.copy(clips()[0], tmp_path / "000.mp4")
    (tmp_path / "001.mp4").write_text("broken")
    videos = [Video(f"pristine/{name}", tmp_path / f"{name}.mp4") for name in ("000", "001", "002")]
    out = tmp_path / "out"
    assert extract_faces(videos, out, SETTINGS, 0, progress=False).skipped == {"unreadable": 1, "missing": 1}
    with monkeypatch.context() as patch:
        patch.setattr(face_search, "read_frames", lambda *_: pytest.fail("read again"))
        assert extract_faces(videos, out, SETTINGS, 0, progress=False).skipped == {"unreadable": 1, "missing": 1}
    shutil.copy(clips()[1], tmp_path / "001.mp4")
    shutil.copy(clips()[2], tmp_path / "002.mp4")
    summary = extract_faces(videos, out, SETTINGS, 0, progress=False)
    assert (summary.extracted, summary.reused, summary.skipped) == (2, 1, {})
    assert len(pd.read_csv(out / "skipped.csv")) == 0


def test_the_official_lists_on_a_tree_of_a_few_videos(tree, undisturbed, tmp_path):
    root = shutil.copytree(tree, tmp_path / "tree")
    shutil.rmtree(root / "splits")
    videos = videos_of(root)
    summary = extract_faces(videos, tmp_path / "out", SETTINGS, workers=0, progress=False)
    assert (summary.videos, summary.extracted, summary.skipped) == (2000, 12, {"missing": 1988})
    assert (tmp_path / "out/faces.parquet").read_bytes() == (undisturbed / "faces.parquet").read_bytes()
    assert len(pd.read_csv(tmp_path / "out/skipped.csv")) == 1988


def test_missing_videos_only_is_an_error_that_says_why(tmp_path):
    videos = [Video("pristine/000", tmp_path / "000.mp4")]
    with pytest.raises(ExtractionError, match=r"Not one face(.|\n)*1 missing") as error:
        extract_faces(videos, tmp_path / "out", SETTINGS, workers=0, progress=False)
    assert isinstance(error.value, UserError)


def test_an_output_folder_that_cannot_be_is_an_error_that_names_it(tree, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputFolderError, match=r"Extracting faces into .*file.*same command goes on"):
        extract(tree, tmp_path / "file" / "out")


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(tree, undisturbed, tmp_path, monkeypatch):
    publish, calls = extraction.publish, []

    def full(*arguments) -> None:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        publish(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(extraction, "publish", full)
        with pytest.raises(OutputFolderError, match="No space left"):
            extract(tree, tmp_path)
    assert extract(tree, tmp_path).reused == 3
    assert contents(tmp_path) == contents(undisturbed)


def interrupted_clip(path: Path, faces: list[int], count: int = 40) -> list[np.ndarray]:
    """A clip whose frames are black but for some."""
    person = frames_of(clips()[0])[0]
    frames = [person if index in faces else np.zeros_like(person) for index in range(count)]
    return frames_of(encode(path, frames))


@pytest.mark.parametrize("with_face", [12, 4, 1])
def test_a_frame_without_a_face_is_drawn_again_until_there_are_enough_or_none_is_left(tmp_path, with_face):
    """Ten faces a video, as the paper says (section 4.1), not ten frames."""
    order = draw_frame_indices("000", 40, 40)
    faces = order[3::3][:with_face]  # the first draw of ten has three of them
    interrupted_clip(tmp_path / "000.mp4", faces)
    video = Video("pristine/000", tmp_path / "000.mp4")
    for settings in (ExtractionSettings(), ExtractionSettings(frames=2)):
        out = tmp_path / f"out{settings.frames}"
        extract_faces([video], out, settings, workers=0, progress=False)
        assert faces_in(out)["frame"].tolist() == sorted(faces[: settings.frames])
        looked_at = order[: order.index(faces[settings.frames - 1]) + 1] if with_face >= settings.frames else order
        skipped = pd.read_csv(out / "skipped.csv")
        assert sorted(skipped["frame"]) == sorted(set(looked_at) - set(faces))


def test_at_most_so_many_frames_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(face_search, "MOST_DRAWN", 25)
    interrupted_clip(tmp_path / "000.mp4", draw_frame_indices("000", 40, 40)[25:])
    video = Video("pristine/000", tmp_path / "000.mp4")
    with pytest.raises(ExtractionError, match="no face"):
        extract_faces([video], tmp_path / "out", ExtractionSettings(), workers=0, progress=False)
    assert len(pd.read_csv(tmp_path / "out" / "skipped.csv")) == 1 + 25


def test_a_crop_on_the_shorter_side_is_smaller(tree, tmp_path):
    longer = extract(tree, tmp_path / "longer")
    shorter = extract(tree, tmp_path / "shorter", settings=ExtractionSettings(frames=3, square="shorter"))
    sides = [faces_in(summary.folder).set_index("face_id")["side"] for summary in (longer, shorter)]
    assert (sides[1] <= sides[0]).all()
    assert (sides[1] < sides[0]).any()


def test_other_settings_than_the_faces_were_found_with_are_refused(tree, tmp_path):
    extract(tree, tmp_path)
    check_settings(tmp_path, SETTINGS)
    for options, message in (
        ({"margin": 0.9}, r"extraction\.margin=0\.1, not 0\.9"),
        ({"frames": 10, "thresholds": 0.6}, r"extraction\.frames=3, not 10; extraction\.thresholds"),
    ):
        with pytest.raises(UserError, match=rf"{message}.*sr_deepfake\.prepare"):
            check_settings(tmp_path, replace(SETTINGS, **options))
    check_settings(tmp_path, replace(SETTINGS, timeout=1))


def extract_with_a_process(root: Path, out: Path) -> None:
    extract(root, out, workers=1)


@pytest.mark.slow
def test_killed_in_the_middle_and_run_again(tree, undisturbed, tmp_path):
    process = start(extract_with_a_process, tree, tmp_path)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("*/*/video.json"))) < 3:
        assert process.is_alive(), "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.join()
    assert len(list(tmp_path.glob("*/*/video.json"))) < 12
    assert not (tmp_path / "faces.parquet").exists()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/video.json")}
    summary = extract(tree, tmp_path)
    assert (summary.faces, summary.videos, summary.reused) == (36, 12, len(kept))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert contents(tmp_path) == contents(undisturbed)
