import os
import signal
from pathlib import Path

import av
import pytest
from forked import start

from sr_deepfake.data.sample import build as building
from sr_deepfake.data.sample.build import build_sample
from sr_deepfake.data.sample.people import draw_pairs, identity_table
from sr_deepfake.data.sources import ffpp
from sr_deepfake.system.errors import UserError

PAIRS = {"train": draw_pairs()["train"][:1], "val": [], "test": draw_pairs()["test"][:1]}
ONE = {"train": PAIRS["train"], "val": [], "test": []}
METHODS = ("FaceSwap",)


def build(root, methods=(), pairs=ONE, workers=1):
    return build_sample(root, methods, workers, pairs=pairs)


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
    return build(tmp_path_factory.mktemp("sample") / "root", METHODS, PAIRS)


def test_layout_and_names_are_those_of_faceforensics_whose_reader_finds_every_video(built):
    (a, b), (c, d) = PAIRS["train"][0], PAIRS["test"][0]
    pristine = "original_sequences/youtube/c23/videos"
    forged = "manipulated_sequences/FaceSwap/c23/videos"
    assert set(contents(built)) == {
        *(f"{pristine}/{name}.mp4" for name in (a, b, c, d)),
        *(f"{forged}/{name}.mp4" for name in (f"{a}_{b}", f"{b}_{a}", f"{c}_{d}", f"{d}_{c}")),
        *(f"splits/{split}.json" for split in ("train", "val", "test")),
    }
    assert (built / "splits" / "train.json").read_text() == f'[\n  [\n    "{a}",\n    "{b}"\n  ]\n]\n'
    table = ffpp.videos(built)
    found = table[table["method"].isin(["pristine", *METHODS])]["path"]
    assert {str(Path(path).relative_to(built)) for path in found} == {n for n in contents(built) if n.endswith("mp4")}


def test_the_same_bytes_from_two_processes(built, tmp_path, monkeypatch):
    """One for each core, unless another number is asked for."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    again = build(tmp_path / "again", METHODS, PAIRS, workers=None)
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


def test_a_second_call_touches_nothing_so_that_a_complete_sample_may_be_read_only(built, monkeypatch):
    before = times(built)
    monkeypatch.setattr(building, "FileLock", None)
    folders = [built, *(path for path in built.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert build(built, METHODS, PAIRS) == built
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert times(built) == before


def test_a_missing_file_is_made_again_and_no_other(tmp_path):
    root = build(tmp_path / "root")
    before, whole = times(root), contents(root)
    victim = next(root.rglob("*.mp4"))
    victim.unlink()
    (root / "splits" / "val.json").unlink()
    build(root)
    assert contents(root) == whole
    assert {path for path, time in times(root).items() if before[path] != time} == {victim}


def build_and_die(root):
    def die(path, frames):
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    building.write_clip = die
    build(root)


def test_what_a_killed_build_left_is_out_of_sight_and_cleared(tmp_path):
    root = tmp_path / "root"
    process = start(build_and_die, root)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (unfinished,) = root.rglob("videos/*")
    assert unfinished.name.startswith(".")
    build(root)
    assert not unfinished.exists()
    assert len(times(root)) == 2


def test_two_builds_at_once_make_one_sample(tmp_path, built):
    root = tmp_path / "root"
    builds = [start(build, root) for _ in range(2)]
    for process in builds:
        process.join()
    assert [process.exitcode for process in builds] == [0, 0]
    videos = {name: content for name, content in contents(root).items() if "videos" in name}
    assert len(videos) == 2
    assert videos.items() <= contents(built).items()


def test_an_unknown_method_names_the_valid_ones(tmp_path):
    with pytest.raises(UserError, match=r"is not a choice\. Choices: .*Deepfakes, Face2Face, FaceSwap") as error:
        build_sample(tmp_path / "root", ["Faceswop"])
    assert "NeuralTextures" in str(error.value)
    assert not (tmp_path / "root").exists()
