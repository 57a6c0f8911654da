from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_clips import make_clip
from video_files import clips, encode, frames_of, number_of, numbered_frames

from sr_deepfake.data.extraction import video
from sr_deepfake.data.extraction.video import draw_frame_indices, read_frames
from sr_deepfake.system.errors import SourceError


@given(st.text(max_size=8), st.integers(0, 400), st.integers(1, 20), st.integers(0, 3))
def test_drawn_frames_are_distinct_as_many_as_there_can_be_and_drawn_on(name, n_frames, count, seed):
    indices = draw_frame_indices(name, n_frames, count, seed)
    assert len(indices) == min(count, n_frames)
    assert len(set(indices)) == len(indices)
    assert all(0 <= i < n_frames for i in indices)
    assert indices == draw_frame_indices(name, n_frames, count, seed)
    further = draw_frame_indices(name, n_frames, count, seed, drawn=count)
    assert indices + further == draw_frame_indices(name, n_frames, 2 * count, seed)


def test_draw_depends_on_name_and_seed_and_covers_all_frames_evenly():
    assert draw_frame_indices("000", 300, 10) != draw_frame_indices("001", 300, 10)
    assert draw_frame_indices("000", 300, 10) != draw_frame_indices("000", 300, 10, seed=1)
    drawn = np.bincount(np.ravel([draw_frame_indices(f"{i:03d}", 20, 5) for i in range(1000)]), minlength=20)
    assert drawn.min() > 190  # 250 expected, deviation 14
    assert drawn.max() < 310


def test_reads_exactly_the_drawn_frames_and_a_further_draw_goes_on_in_their_order(tmp_path):
    path = encode(tmp_path / "000_003.mp4", numbered_frames(50))
    drawn = read_frames(path, count=10)
    assert drawn.n_frames == 50
    assert drawn.order == draw_frame_indices("000_003", 50, 10)
    assert drawn.indices == sorted(drawn.order)
    assert [number_of(image) for image in drawn.images] == drawn.indices
    assert all(image.shape == (48, 64, 3) and image.dtype == np.uint8 for image in drawn.images)

    further = read_frames(path, count=10, drawn=10)
    assert further.order == draw_frame_indices("000_003", 50, 20)[10:]
    # The number of frames that the first draw has found counts, not what the file declares.
    fewer = read_frames(path, count=10, drawn=10, n_frames=40)
    assert fewer.order == draw_frame_indices("000_003", 40, 20)[10:]
    assert fewer.n_frames == 40


@pytest.mark.parametrize(
    ("name", "n_frames", "codec"),
    [("a.mp4", 3, "libx264"), ("a.ts", 40, "mpeg2video")],  # a container that does not say how many there are
)
def test_takes_all_frames_of_a_short_video(tmp_path, name, n_frames, codec):
    drawn = read_frames(encode(tmp_path / name, numbered_frames(n_frames), codec=codec), count=40)
    assert drawn.n_frames == n_frames
    assert drawn.indices == list(range(n_frames))


def test_believes_the_frames_rather_than_a_declared_number(tmp_path, monkeypatch):
    """An edit list hides frames whose packets are there."""
    path, decode = encode(tmp_path / "a.mp4", numbered_frames(20)), video._decode
    assert decode(path, [])[1:] == (20, 20)

    def hiding(path: Path, wanted: list[int]) -> tuple[list[np.ndarray], int, int]:
        return decode(path, [i for i in wanted if i < 15])[0], 15, 20

    monkeypatch.setattr(video, "_decode", hiding)
    drawn = read_frames(path, count=20)
    assert drawn.n_frames == 15
    assert drawn.indices == list(range(15))


@pytest.mark.parametrize(
    ("matrix", "expected_of"),
    [  # a, b, c, d of the QuickTime display matrix; what is shown of what is stored
        ((0, 1, -1, 0), lambda stored: np.rot90(stored, -1)),
        ((-1, 0, 0, -1), lambda stored: np.rot90(stored, 2)),
        ((0, -1, 1, 0), lambda stored: np.rot90(stored, 1)),
        ((-1, 0, 0, 1), lambda stored: stored[:, ::-1]),  # a front camera's
        ((1, 0, 0, -1), lambda stored: stored[::-1]),
        ((0, 1, 1, 0), lambda stored: stored.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda stored: stored[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_turns_frames_upright(tmp_path, matrix, expected_of):
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :16] = 255
    path = make_clip(tmp_path / "a.mp4", 3, 48, 64, matrix=matrix, pictures=[frame] * 3)
    image = read_frames(path, count=1).images[0]
    expected = expected_of(frame)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 5


def test_one_damaged_byte_is_not_smoothed_over(tmp_path):
    content = bytearray(encode(tmp_path / "a.mp4", frames_of(clips()[0]) * 6).read_bytes())
    assert len(read_frames(tmp_path / "a.mp4", count=60).images) == 60
    place = content.index(b"mdat") + 4
    for _ in range(30):  # units of the stream, each behind its length
        place += 4 + int.from_bytes(content[place : place + 4], "big")
    content[place] ^= 0xFF
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(SourceError, match="unreadable: damaged after"):
        read_frames(tmp_path / "a.mp4", count=60)


def test_a_trailer_behind_the_video_does_no_harm(tmp_path):
    path = encode(tmp_path / "a.mp4", numbered_frames(10))
    path.write_bytes(path.read_bytes() + b"\xff\xff\xff\xffjunk and more junk")
    assert len(read_frames(path).images) == 10
