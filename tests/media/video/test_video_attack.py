"""A video as a whole: reports, callbacks, faults."""

import itertools
import threading
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import Fixed, darken, frames_of, make_clip, planes_of
from video_files import clips, sound_alone

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import cut
from sr_deepfake.media.video import attack as attacking
from sr_deepfake.media.video.attack import VideoSettings, attack_video
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.system.errors import UserError

CROP = Crop(16, 32, 48)
LOSSLESS = Encoding(crf=0, preset="ultrafast")


@pytest.mark.parametrize(("pixels", "batch"), [(4_000_000, 5), (2 * 120 * 160, 2), (1, 1)])  # of a batch, at most
def test_callbacks_get_every_frame_in_order_and_the_report_counts(tmp_path, monkeypatch, pixels, batch):
    monkeypatch.setattr(attacking, "BATCH_PIXELS", pixels)
    source = make_clip(tmp_path / "a.mp4")
    finder, crops = Fixed(CROP, Crop(100, 0, 24), too_small=2), (CROP, Crop(100, 0, 24))
    done, seen, together = [], [], []

    def attack(faces):
        together.append(len(faces))
        return darken(faces)

    report = attack_video(
        source, tmp_path / "b.mp4", finder, attack, VideoSettings(batch=5),
        progress=lambda frames, total: done.append((frames, total)), watch=lambda *faces: seen.append(faces),
    )  # fmt: skip
    assert (report.frames, report.faces, report.too_small) == (12, 24, 24)
    assert (report.fault, report.left_out, report.status) == ("", (), "attacked")
    ends = [*range(batch, 12, batch), 12]
    assert done == [(end, 12) for end in ends]
    assert together == [2 * (end - start) for start, end in zip([0, *ends], ends, strict=False)]
    for frame, (before, after) in zip(frames_of(source), seen, strict=True):
        for crop, old, new in zip(crops, before, after, strict=True):
            np.testing.assert_array_equal(old, cut(upright(frame), crop))
            np.testing.assert_array_equal(new, darken([old])[0])


def test_pictures_are_let_go_and_no_more_than_one_batch_is_made_ahead(tmp_path):
    made = []

    def frames():
        for frame in frames_of(make_clip(tmp_path / "a.mp4")):
            made.append(frame)
            yield frame

    batches = attacking.in_background(attacking.in_batches(frames(), 2))
    for number, batch in enumerate(batches, start=1):
        assert len(made) <= 2 * (number + 1)
        assert all(item.picture is None for item in attacking.find_faces(batch, Fixed(CROP)))


def test_each_run_writes_the_same_bytes(tmp_path):
    copies = [tmp_path / f"{run}.mp4" for run in range(8)]
    for copy in copies:
        attack_video(clips()[0], copy, Fixed(CROP), darken)  # a person: in drawn clips x264 does not differ
    assert len({copy.read_bytes() for copy in copies}) == 1


def test_a_video_without_faces_is_copied(tmp_path):
    source = make_clip(tmp_path / "a.mp4", sound="aac")
    report = attack_video(source, tmp_path / "deep" / "b.mp4", Fixed(too_small=1), darken)
    assert (report.status, report.frames, report.faces, report.too_small) == ("no face", 12, 0, 12)
    assert (tmp_path / "deep" / "b.mp4").read_bytes() == source.read_bytes()
    attack_video(source, tmp_path / "b.mkv", Fixed(), darken)  # another container
    assert len(frames_of(tmp_path / "b.mkv")) == 12


def damaged(folder: Path) -> Path:
    """40 frames, a key frame every 8; packets 13 to 17 hold noise."""
    source = make_clip(folder / "sound.mkv", 40, options={"g": "8", "bf": "0", "crf": "12"}, sound="aac")
    path = folder / "damaged.mkv"
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream, opaque=True) for stream in old.streams}
        count = itertools.count()
        for packet in old.demux():
            if packet.size:
                if packet.stream.type == "video" and 13 <= (number := next(count)) <= 17:
                    packet.update(np.random.default_rng(number).bytes(packet.size))
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    return path


def test_a_damaged_middle_is_bridged_and_reported(tmp_path):
    source, target = damaged(tmp_path), tmp_path / "b.mkv"
    report = attack_video(source, target, Fixed(CROP), darken, VideoSettings(LOSSLESS))
    assert report.fault in [f"{source}: damaged from {start} s on" for start in ("0.48", "0.52")]
    sound = {frame.pts: frame for frame in frames_of(tmp_path / "sound.mkv")}
    written = {frame.pts: frame for frame in frames_of(target)}
    whole = [*range(13), *range(24, 40)]
    assert {40 * i for i in whole} <= set(written)
    for i in whole:  # what is not damaged is as it was
        for old, new in zip(planes_of(sound[40 * i]), planes_of(written[40 * i]), strict=True):
            np.testing.assert_array_equal(new[:16], old[:16])


def test_a_missing_end_is_reported(tmp_path):
    source = make_clip(tmp_path / "a.mkv", 75, options={"g": "10", "bf": "0", "crf": "12"})
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    report = attack_video(source, tmp_path / "b.mkv", Fixed(CROP), darken)
    written = frames_of(tmp_path / "b.mkv")
    assert 25 < len(written) == report.frames < 50
    assert report.fault == f"{source}: damaged from {written[-1].time:.2f} s on"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty file"),
        (b"this is no video\n" * 200, "unreadable|Invalid data"),
        ("half", "truncated"),
        ("sound", "no video stream"),
        (None, "missing"),
    ],
)
def test_what_is_no_video_is_named_and_leaves_nothing(tmp_path, content, reason):
    source = tmp_path / "my %s [film]\n.mp4"
    if content == "half":
        whole = make_clip(source).read_bytes()
        source.write_bytes(whole[: len(whole) // 2])
    elif content == "sound":
        sound_alone(source)
    elif content is not None:
        source.write_bytes(content)
    with pytest.raises(UserError, match=reason) as error:
        attack_video(source, tmp_path / "out" / "b.mp4", Fixed(CROP), darken)
    assert "my %s [film]\\n.mp4" in str(error.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path != source] == []


def test_a_picture_that_changes_its_size_is_refused(tmp_path):
    small, large = (make_clip(tmp_path / f"{side}.ts", 6, side, side) for side in (64, 96))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(UserError, match=r"both.ts changes from 64×64 .* to 96×96"):
        attack_video(both, tmp_path / "b.ts", Fixed(Crop(0, 0, 24)), darken)
    assert not (tmp_path / "b.ts").exists()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("stage", ["finder", "attack", "watch"])
def test_an_error_in_any_stage_reaches_the_caller_and_leaves_no_thread_and_no_file(tmp_path, stage, error):
    source = make_clip(tmp_path / "a.mp4", 60, 48, 64)
    before = threading.active_count()
    stages = {"finder": Fixed(Crop(0, 0, 24)), "attack": darken, "watch": lambda *faces: None}
    works, calls = stages[stage], []

    def fails(*arguments):
        calls.append(arguments)
        if len(calls) == 5:
            raise error("broken")
        return works(*arguments)

    stages[stage] = fails
    with pytest.raises(error, match="broken"):
        attack_video(
            source,
            tmp_path / "b.mp4",
            stages["finder"],
            stages["attack"],
            VideoSettings(batch=4),
            watch=stages["watch"],
        )
    assert threading.active_count() == before
    assert list(tmp_path.iterdir()) == [source]


def test_stages_overlap(tmp_path):
    source = make_clip(tmp_path / "a.mp4", 8, 48, 64)
    finder = Fixed(Crop(0, 0, 24))
    calls, second = [], threading.Event()
    overlapped = []

    def find(frames):
        calls.append(len(frames))
        if len(calls) == 2:
            second.set()
        return finder(frames)

    def attack(faces):
        overlapped.append(second.wait(timeout=60))  # the next frames are looked through while these are attacked
        return darken(faces)

    attack_video(source, tmp_path / "b.mp4", find, attack, VideoSettings(batch=1))
    assert overlapped == [True] * 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(VideoSettings, every=5), r"faces\.every must be auto or 1, not 5"),
        (partial(VideoSettings, feather=-1), r"faces\.feather=-1"),
        (partial(VideoSettings, batch=0), r"video\.batch=0"),
        (partial(Encoding, crf=52), r"video\.crf=52"),
        (partial(Encoding, preset="slowly"), r"video\.preset='slowly' is not a choice\. Choices: ultrafast"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()
