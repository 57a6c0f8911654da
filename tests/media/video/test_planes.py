import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_clips import picture, planes_of

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import upright
from sr_deepfake.media.faces import cut, paste
from sr_deepfake.media.video.planes import check_matrix, paste_faces, working_format
from sr_deepfake.system.errors import UserError


def frame_of(pix_fmt: str, height: int = 60, width: int = 80) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(0, height, width), format="rgb24").reformat(format=pix_fmt)
    frame.make_writable()
    return frame


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuvj422p", "yuv444p", "yuv420p10le", "yuva420p", "yuv440p", "gray10le"]
)
@settings(max_examples=6)
@given(left=st.integers(0, 28).map(lambda half: 2 * half), top=st.integers(0, 18).map(lambda half: 2 * half))
def test_samples_become_what_a_plain_loop_computes(pix_fmt, left, top):
    frame, crop = frame_of(pix_fmt), Crop(left, top, 24)
    before = cut(upright(frame), crop)
    after = picture(9 + left, 24, 24) // 2 + 40  # colours that subsampled chroma can show
    planes = planes_of(frame)
    bits, full = frame.format.components[0].bits, pix_fmt.startswith(("yuvj", "gray"))
    paste_faces(frame, [crop], [before], [after])
    red, green, blue = (after[..., i] / 255.0 for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue  # BT.601
    step = 2 ** (bits - 8)
    spans = (2**bits - 1,) * 2 if full else (219 * step, 224 * step)
    chroma_of = [(blue - luma) / 1.772, (red - luma) / 1.402]
    wanted = [luma * spans[0] + (0 if full else 16 * step)]
    wanted += [part * spans[1] + 128 * step for part in chroma_of]
    for old, new, expected in zip(planes, planes_of(frame), wanted, strict=False):
        down, across = 60 // old.shape[0], 80 // old.shape[1]
        for row in range(old.shape[0]):
            for column in range(old.shape[1]):
                rows, columns = (slice(row * down - top, (row + 1) * down - top), slice(column * across - left, None))
                columns = slice(columns.start, columns.start + across)
                if rows.start >= 0 and columns.start >= 0 and rows.stop <= 24 and columns.stop <= 24:
                    # up to the rounding of the conversion to RGB, which is taken back
                    assert abs(float(new[row, column]) - expected[rows, columns].mean()) <= 2.6 * step
                else:
                    assert new[row, column] == old[row, column]
    if pix_fmt == "yuva420p":
        np.testing.assert_array_equal(planes_of(frame)[3], planes[3])


def test_overlapping_faces_and_feather_are_as_in_photos():
    crops = [Crop(10, 6, 48), Crop(40, 20, 24)]
    frame, photo = frame_of("rgb24"), picture(0, 60, 80)
    before = [cut(photo, crop) for crop in crops]
    after = [255 - face for face in before]
    paste_faces(frame, crops, before, after, feather=5)
    for crop, face in zip(crops, after, strict=True):
        paste(photo, crop, face, feather=5)
    assert np.abs(upright(frame).astype(int) - photo).max() <= 1
    assert not np.array_equal(photo, picture(0, 60, 80))


def test_formats_of_other_orders_are_rearranged_without_loss():
    frame = frame_of("yuv420p")
    for name in ("nv12", "nv21"):
        again = frame.reformat(format=name).reformat(format=working_format(name))
        for old, new in zip(planes_of(frame), planes_of(again), strict=True):
            np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("name", ["yuv420p10be", "xyz12le", "gbrp10le", "yuv411p"])
def test_formats_that_cannot_be_worked_on_are_refused(name):
    with pytest.raises(UserError, match=f"pixel format {name}"):
        working_format(name)


def test_a_matrix_that_is_not_known_is_refused():
    frame = av.VideoFrame(16, 16, "yuv420p")
    frame.colorspace = 14
    with pytest.raises(UserError, match="matrix 14"):
        check_matrix(frame)
