"""Every kind of video comes out as it went in, but for the faces."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import Fixed, darken, frames_of, make_clip, packets_of, planes_of

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import orientation_of, upright
from sr_deepfake.media.files import Job
from sr_deepfake.media.outcomes import Outcome
from sr_deepfake.media.video.attack import VideoSettings, attack_video
from sr_deepfake.media.video.encoder import Encoding
from sr_deepfake.system.errors import UserError

CROP = Crop(left=17, top=33, side=48)  # odd places, where no chroma sample begins
CUT = Crop(left=16, top=32, side=48)  # what is attacked then
BT709 = {"colorspace": 1, "color_range": 1, "color_primaries": 1, "color_trc": 1}
BT601_FULL = {"colorspace": 5, "color_range": 2, "color_primaries": 5, "color_trc": 6}
BT2020 = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 14}
LOSSLESS = Encoding(crf=0, preset="ultrafast")
FAST = VideoSettings(Encoding(crf=30, preset="ultrafast"))
MPEG = {"b": "2000000"}
VP9 = {"crf": "20", "b": "0", "cpu-used": "8"}


def attacked(source: Path, encoding: Encoding = LOSSLESS) -> tuple[Path, Outcome]:
    target = source.with_name(f"attacked{source.suffix}")
    return target, attack_video(source, target, Fixed(CROP), darken, VideoSettings(encoding))


@pytest.mark.parametrize(
    ("name", "clip", "tolerance"),
    [  # tolerance: mean error of the faces' RGB, in levels; RGB of subsampled chroma cannot be met exactly
        ("plain.mp4", {}, 1.0),
        ("bt709.mp4", {"pix_fmt": "yuv422p", "colour": BT709}, 1.0),
        ("bt601_full.mov", {"colour": BT601_FULL}, 1.0),
        ("bt2020.mkv", {"pix_fmt": "yuv420p10le", "colour": BT2020}, 2.0),
        ("444.mkv", {"pix_fmt": "yuv444p", "height": 121, "width": 161}, 0.5),
        ("444_ten_bits.mp4", {"pix_fmt": "yuv444p10le"}, 0.5),
        ("rgb.mkv", {"codec": "libx264rgb", "pix_fmt": "rgb24", "options": {"qp": "0"}}, 0.0),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": VP9, "height": 121, "width": 159}, 2.0),
        ("mpeg4.mp4", {"codec": "mpeg4", "options": MPEG}, 1.0),
        ("mpeg2.ts", {"codec": "mpeg2video", "options": MPEG}, 1.0),
        ("mjpeg.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, 1.0),
        ("prores.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}, 2.0),
        ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}, 0.5),
        ("turned.mp4", {"rotation": 90}, 1.0),
        ("turned_other_way.mov", {"rotation": -90}, 1.0),
        ("upside_down.mp4", {"rotation": 180}, 1.0),
        ("front_camera.mp4", {"matrix": (-1, 0, 0, 1)}, 1.0),
        ("mirrored_and_turned.mov", {"matrix": (0, -1, -1, 0)}, 1.0),
    ],
)
def test_pixels_outside_the_square_stay_as_decoded(tmp_path, name, clip, tolerance):
    source = make_clip(tmp_path / name, **clip)
    finder, target = Fixed(CROP), tmp_path / f"attacked_{name}"
    report = attack_video(source, target, finder, darken, VideoSettings(LOSSLESS))
    assert report == Outcome(Job(source, target), "attacked", faces=12, frames=12)
    before, after = frames_of(source), frames_of(target)
    assert len(before) == len(after) == 12
    for old, new, seen in zip(before, after, finder.seen, strict=True):
        if not name.startswith("grey"):  # H.264 decoders give grey pictures as YUV
            assert new.format.name == old.format.name
        assert (new.width, new.height, new.rotation) == (old.width, old.height, old.rotation)
        assert new.pts * new.time_base == old.pts * old.time_base
        np.testing.assert_array_equal(seen, upright(old))
        square = orientation_of(old).stored_crop(CUT, old.height, old.width)
        for before_plane, after_plane in zip(planes_of(old), planes_of(new), strict=False):
            outside = np.ones(before_plane.shape, bool)
            down, across = (-(-old.height // before_plane.shape[0]), -(-old.width // before_plane.shape[1]))
            rows = slice(-(-square.top // down), (square.top + 48) // down)
            columns = slice(-(-square.left // across), (square.left + 48) // across)
            outside[rows, columns] = False
            np.testing.assert_array_equal(after_plane[outside], before_plane[outside])
        wanted = darken([upright(old)[35:79, 19:63]])[0].astype(int)  # the seam apart
        assert np.abs(upright(new)[35:79, 19:63] - wanted).mean() <= tolerance
    for colour in ("colorspace", "color_primaries", "color_trc"):
        assert getattr(new, colour) == getattr(old, colour)
    # x264 need not write the usual range; grey without one is full.
    assert (new.color_range == 2) == (old.color_range == 2 or name.startswith("grey"))


@pytest.mark.parametrize(
    ("source", "clip", "target", "left_out"),
    [  # sound is refused where the stream is added, where the header is written, and at the end
        ("a.mp4", {"sound": "aac"}, "b.webm", "audio"),
        ("a.mkv", {"sound": "libopus"}, "b.mov", "audio"),
        ("a.mkv", {"sound": "pcm_s16le"}, "b.mp4", "audio"),
        ("a.mp4", {"matrix": (0, 1, -1, 0)}, "b.avi", "the orientation (turned by 270°)"),
    ],
)
def test_what_the_container_refuses_is_left_out_and_named(tmp_path, source, clip, target, left_out):
    report = attack_video(make_clip(tmp_path / source, **clip), tmp_path / target, Fixed(CROP), darken, FAST)
    assert report.left_out == (left_out,)
    with av.open(str(tmp_path / target)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert len(list(container.decode(video=0))) == 12


def test_an_attack_that_changes_nothing_leaves_every_sample(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pix_fmt="yuv420p10le", colour=BT709)
    target = tmp_path / "b.mkv"
    attack_video(source, target, Fixed(CROP), list, VideoSettings(LOSSLESS))
    for old, new in zip(frames_of(source), frames_of(target), strict=True):
        for before, after in zip(planes_of(old), planes_of(new), strict=True):
            np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("name", "sound", "clip"),
    [
        ("a.mp4", "aac", {"subtitles": True}),
        ("a.mkv", "aac", {}),
        ("a.webm", "libopus", {"codec": "libvpx-vp9", "options": VP9}),
        ("a.ts", "aac", {}),
        ("b_frames_and_offset.mp4", "aac", {"times": [4, 5, 6, 8, 9, 14, 15, 16, 17, 30, 31, 32]}),
    ],
)
def test_sound_and_subtitles_are_copied_and_stay_in_step(tmp_path, name, sound, clip):
    source = make_clip(tmp_path / name, sound=sound, **clip)
    target, report = attacked(source, Encoding(preset="medium"))
    assert report.left_out == ()
    assert packets_of(target, "audio") == packets_of(source, "audio")
    if "subtitles" in clip:
        assert packets_of(target, "subtitle") == packets_of(source, "subtitle")
        with av.open(str(target)) as container:
            assert container.streams.subtitles[0].language == "deu"
    times = [[f.pts * f.time_base for f in frames_of(path)] for path in (source, target)]
    assert times[0] == times[1]


@pytest.mark.parametrize(("name", "unit"), [("a.mp4", Fraction(1, 600)), ("a.mkv", Fraction(1, 1000))])
def test_times_of_a_variable_frame_rate_are_kept(tmp_path, name, unit):
    moments = [0, 24, 48, 120, 121, 144, 300, 301, 350, 400, 620, 700]
    source = make_clip(tmp_path / name, times=moments, time_base=unit)
    target, _ = attacked(source, Encoding(preset="medium"))
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert new.streams.video[0].time_base == old.streams.video[0].time_base
        assert new.streams.video[0].duration == old.streams.video[0].duration
        assert new.duration == old.duration
    assert [frame.time for frame in frames_of(target)] == [frame.time for frame in frames_of(source)]
    assert [frame.duration for frame in frames_of(target)] == [frame.duration for frame in frames_of(source)]


def test_metadata_chapters_and_a_phone_s_own_names_are_kept(tmp_path):
    names = {"title": "Über %s", "com.apple.quicktime.model": "Phone 7", "creation_time": "2020-01-02T03:04:05.000000Z"}
    source = make_clip(tmp_path / "a.mov", metadata=names, muxer={"movflags": "use_metadata_tags"})
    target, _ = attacked(source)
    with av.open(str(target)) as container:
        assert {name: container.metadata.get(name) for name in names} == names
    one = {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}
    target, _ = attacked(make_clip(tmp_path / "b.mkv", chapters=[one]))
    with av.open(str(target)) as container:
        (chapter,) = container.chapters()
    assert chapter["metadata"]["title"] == "One"
    assert chapter["end"] * chapter["time_base"] == Fraction(1, 5)


def test_codec_quality_and_more_options_reach_the_encoder(tmp_path):
    source = make_clip(tmp_path / "a.mkv")
    sizes = {}
    for crf in (10, 40):
        target, _ = attacked(source, Encoding(crf=crf, options={"g": "4"}))
        sizes[crf] = target.stat().st_size
        assert sum(frame.key_frame for frame in frames_of(target)) == 3
    assert sizes[10] > 2 * sizes[40]
    target, _ = attacked(source, Encoding(codec="ffv1"))
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


@pytest.mark.parametrize(
    ("name", "clip", "encoding", "message"),
    [
        ("odd.avi", {"codec": "mpeg4", "options": MPEG, "width": 159}, {}, "159×120 px; video.codec=libvpx-vp9"),
        ("deep.mkv", {"codec": "ffv1", "pix_fmt": "yuv420p12le"}, {}, "yuv420p12le .*video.codec=ffv1 would do"),
        (
            "a.webm",
            {"codec": "libvpx-vp9", "options": VP9},
            {"codec": "libx264"},
            "webm does not hold what libx264 writes; video.codec=libvpx-vp9 would do",
        ),
        (
            "a.ogv",
            {"codec": "libvpx"},
            {},
            r"attacked\.ogv: videos are not written as \.ogv; use one of .*\.mkv, \.mov",
        ),
        ("a.mp4", {}, {"codec": "x264"}, "video.codec=x264: FFmpeg has no such encoder here"),
        ("a.mp4", {}, {"options": {"tnue": "film"}}, "video.options: libx264 has no option tnue"),
    ],
)
def test_what_cannot_be_written_is_said_with_what_would_do(tmp_path, name, clip, encoding, message):
    source = make_clip(tmp_path / name, **clip)
    with pytest.raises(UserError, match=message):
        attacked(source, Encoding(**encoding))
    assert list(tmp_path.iterdir()) == [source]


def test_two_recordings_that_were_joined_are_refused(tmp_path):
    first = make_clip(tmp_path / "a.ts", codec="mpeg2video", options=MPEG, times=list(range(100, 112)))
    second = make_clip(tmp_path / "b.ts", codec="mpeg2video", options=MPEG)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(UserError, match=r"timestamps jump back by \d.*ffmpeg -f concat"):
        attacked(joined)
    assert not (tmp_path / "attacked.ts").exists()


def test_pictures_that_show_the_old_face_are_left_out_and_said(tmp_path):
    frames = frames_of(make_clip(tmp_path / "one.mkv"))
    with av.open(str(tmp_path / "two.mkv"), "w") as container:
        streams = [container.add_stream("libx264", rate=25, width=160, height=120) for _ in range(2)]
        for stream in streams:
            container.mux([*stream.encode(frames[0]), *stream.encode(None)])
    target, report = attacked(tmp_path / "two.mkv")
    assert report.left_out == ("a second moving picture",)
    with av.open(str(target)) as container:
        assert len(container.streams.video) == 1


@pytest.mark.parametrize("codec", ["libx265", "libx264"])
def test_hdr_metadata_are_kept_or_said(tmp_path, codec):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    options = {"x265-params": f"log-level=none:master-display={display}:max-cll=1000,400"}
    try:
        clip = make_clip(tmp_path / "hdr.mp4", codec="libx265", pix_fmt="yuv420p10le", options=options, colour=BT2020)
    except (ValueError, av.error.FFmpegError) as error:
        pytest.skip(f"no libx265 here: {error}")
    hdr = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
    assert all(frames_of(clip)[0].side_data.get(name) is not None for name in hdr)
    target, report = attacked(clip, Encoding(codec=codec, crf=30, preset="ultrafast"))
    written = frames_of(target)[0].side_data
    assert len(report.left_out) == sum(written.get(name) is None for name in hdr)
    assert all("HDR10" in words for words in report.left_out)
