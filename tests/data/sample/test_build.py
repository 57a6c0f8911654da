import json
import os
from pathlib import Path

import av
import pytest
from forked import start

from sr_deepfake.data.sample import build as building
from sr_deepfake.data.sample.build import SAMPLE_VERSION, _build, build_sample, sample_folder
from sr_deepfake.data.sample.people import draw_pairs, identity_table
from sr_deepfake.data.sources import ffpp
from sr_deepfake.system.errors import UserError

PAIRS = {"train": draw_pairs()["train"][:1], "val": [], "test": draw_pairs()["test"][:1]}
METHODS = ("FaceSwap",)


def contents(root):
    """Files that a reader of the layout can see, with their bytes."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def times(root):
    return {path: path.stat().st_mtime_ns for path in root.rglob("*.mp4")}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return _build(tmp_path_factory.mktemp("sample") / "root", METHODS, PAIRS, workers=1)


def test_layout_and_names_are_those_of_faceforensics(built):
    (a, b), (c, d) = PAIRS["train"][0], PAIRS["test"][0]
    pristine = "original_sequences/youtube/c23/videos"
    forged = "manipulated_sequences/FaceSwap/c23/videos"
    assert set(contents(built)) == {
        *(f"{pristine}/{name}.mp4" for name in (a, b, c, d)),
        *(f"{forged}/{name}.mp4" for name in (f"{a}_{b}", f"{b}_{a}", f"{c}_{d}", f"{d}_{c}")),
        *(f"splits/{split}.json" for split in ("train", "val", "test")),
    }
    assert json.loads((built / "splits" / "train.json").read_text()) == [[a, b]]


def test_the_reader_of_faceforensics_finds_every_video(built):
    table = ffpp.videos(built)
    found = table[table["method"].isin(["pristine", *METHODS])]["path"]
    assert len(found) == 8
    assert all(Path(path).is_file() for path in found)


def test_the_same_bytes_from_two_processes(built, tmp_path, monkeypatch):
    """One for each core, unless another number is asked for."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    again = _build(tmp_path / "elsewhere", METHODS, PAIRS, workers=None)
    assert contents(again) == contents(built)


def test_pristine_and_forged_videos_are_encoded_alike(built):
    def parameters(path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            codec = stream.codec_context
            packets = [packet for packet in container.demux(stream) if packet.size]
            return (
                (codec.name, codec.profile, codec.pix_fmt, stream.average_rate, stream.time_base),
                (codec.width, codec.height, stream.frames, stream.duration, len(container.streams)),
                (dict(container.metadata), dict(stream.metadata), container.format.name),
                [(packet.pts, packet.dts, packet.is_keyframe) for packet in packets if packet.is_keyframe],
            )

    size = dict(zip(identity_table().names, identity_table().sizes.tolist(), strict=True))
    for path in (built / "manipulated_sequences" / "FaceSwap" / "c23" / "videos").iterdir():
        target = path.stem.split("_")[0]
        original = built / "original_sequences" / "youtube" / "c23" / "videos" / f"{target}.mp4"
        assert parameters(path) == parameters(original)
        codec, shape, _, _ = parameters(path)
        assert codec[:4] == ("h264", "High", "yuv420p", 10)
        assert shape[:3] == (size[target], size[target], 10)


def test_a_second_call_touches_nothing_and_starts_nothing(built, monkeypatch):
    before = times(built)
    monkeypatch.setattr(building, "_make_all", None)
    monkeypatch.setattr(building, "FileLock", None)
    assert _build(built, METHODS, PAIRS) == built
    assert times(built) == before


def test_a_missing_file_is_made_again_and_no_other(tmp_path):
    pairs = {"train": [PAIRS["train"][0]], "val": [], "test": []}
    root = _build(tmp_path / "root", [], pairs, workers=1)
    before, whole = times(root), contents(root)
    victim = next(root.rglob("*.mp4"))
    victim.unlink()
    (root / "splits" / "val.json").unlink()
    _build(root, [], pairs, workers=1)
    assert contents(root) == whole
    assert {path for path, time in times(root).items() if before[path] != time} == {victim}


def test_what_a_killed_build_left_is_out_of_sight_and_cleared(tmp_path, monkeypatch):
    pairs = {"train": [PAIRS["train"][0]], "val": [], "test": []}
    root = tmp_path / "root"

    def dies(path, frames):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(building, "write_clip", dies)
        with pytest.raises(KeyboardInterrupt):
            _build(root, [], pairs, workers=1)
    assert not list(root.rglob("videos/*"))
    assert list((root / ".unfinished").iterdir())
    _build(root, [], pairs, workers=1)
    assert not (root / ".unfinished").exists()
    assert len(times(root)) == 2


def test_two_builds_at_once_make_one_sample(tmp_path, built):
    pairs = {"train": [PAIRS["train"][0]], "val": [], "test": []}
    root = tmp_path / "root"
    builds = [start(_build, root, (), pairs, 1) for _ in range(2)]
    for process in builds:
        process.join()
    assert [process.exitcode for process in builds] == [0, 0]
    assert not (root / ".unfinished").exists()
    names = [path for path in contents(root) if path.endswith(".mp4")]
    assert len(names) == 2
    assert all((root / name).read_bytes() == (built / name).read_bytes() for name in names)


def test_a_complete_sample_may_be_read_only(built):
    for folder in [built, *(path for path in built.rglob("*") if path.is_dir())]:
        os.chmod(folder, 0o555)
    try:
        assert _build(built, METHODS, PAIRS) == built
    finally:
        for folder in [built, *(path for path in built.rglob("*") if path.is_dir())]:
            os.chmod(folder, 0o755)


def test_an_unknown_method_names_the_valid_ones(tmp_path):
    with pytest.raises(UserError, match=r"is not a choice\. Choices: .*Deepfakes, Face2Face, FaceSwap") as error:
        build_sample(tmp_path / "root", ["Faceswop"])
    assert "NeuralTextures" in str(error.value)
    assert not (tmp_path / "root").exists()


def test_versions_have_folders_of_their_own(tmp_path, monkeypatch):
    assert sample_folder(tmp_path) == tmp_path / f"sample-v{SAMPLE_VERSION}"
    monkeypatch.setattr(building, "SAMPLE_VERSION", SAMPLE_VERSION + 1)
    assert sample_folder(tmp_path) == tmp_path / f"sample-v{SAMPLE_VERSION + 1}"
