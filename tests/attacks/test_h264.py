import av
import numpy as np
import pytest
from photo_faces import as_faces, as_pictures, photos

from sr_deepfake.attacks import h264 as module
from sr_deepfake.attacks.h264 import H264Attack, from_yuv420, to_yuv420
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize(
    ("colour", "expected"),
    [  # ITU-R BT.601 in video range, as in tables of colour bars
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 240)),
        ((0, 255, 0), (145, 54, 34)),
        ((0, 0, 255), (41, 240, 110)),
        ((255, 255, 0), (210, 16, 146)),
    ],
)
def test_colours_are_those_of_bt601(colour, expected):
    planes = to_yuv420(np.full((4, 6, 3), colour, np.uint8))
    assert planes.shape == (6, 6)
    values = planes.ravel()
    assert [set(part.tolist()) for part in (values[:24], values[24:30], values[30:])] == [{level} for level in expected]
    assert np.abs(from_yuv420(planes) - colour).max() < 2


def test_ffmpeg_reads_the_planes_as_the_same_colours():
    planes = to_yuv420(photos(1, 64)[0])
    theirs = av.VideoFrame.from_ndarray(planes, format="yuv420p").to_ndarray(format="rgb24")
    ours = from_yuv420(planes)
    assert np.abs(ours - theirs).mean() < 2  # it cuts off fractions, and places chroma in another way


def test_it_is_what_a_video_file_of_one_frame_holds(tmp_path):
    picture = photos(1, 64, 48)[0]
    with av.open(str(tmp_path / "face.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "30", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in (av.VideoFrame.from_ndarray(to_yuv420(picture), format="yuv420p"), None):
            container.mux(stream.encode(frame))
    with av.open(str(tmp_path / "face.mp4")) as container:
        (frame,) = container.decode(video=0)
    assert frame.key_frame
    expected = np.rint(from_yuv420(frame.to_ndarray(format="yuv420p"))).clip(0, 255)
    np.testing.assert_array_equal(as_pictures(H264Attack(30)(as_faces(picture[None])))[0], expected)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (17, 33), (24, 25), (3, 200), (64, 48)])
def test_without_quantisation_only_the_conversion_of_colours_is_lost(height, width):
    picture = photos(1, height, width)
    attacked = as_pictures(H264Attack(0)(as_faces(picture)))
    padded = np.pad(picture[0], ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    expected = np.rint(from_yuv420(to_yuv420(padded))).clip(0, 255)[:height, :width]
    np.testing.assert_array_equal(attacked[0], expected)


def test_a_pyav_without_x264_is_named(monkeypatch):
    monkeypatch.setattr(module.av, "codecs_available", {"h264", "mpeg4"})
    with pytest.raises(UserError, match="x264"):
        H264Attack(23)
