import math

import pytest

from sr_deepfake.attacks.base import number, of_severity, whole_number
from sr_deepfake.attacks.corruptions import BlurAttack, JpegAttack, NoiseAttack, ResizeAttack
from sr_deepfake.attacks.h264 import H264Attack
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JpegAttack(quality=0), r"attack\.quality=0: .* from 1 to 100"),
        (lambda: JpegAttack(quality=101), r"attack\.quality=101"),
        (lambda: JpegAttack(quality=35.5), r"attack\.quality=35\.5: this is a whole number"),
        (lambda: JpegAttack(quality="best"), r"attack\.quality=best"),
        (lambda: JpegAttack(chroma="4:1:1"), r"attack\.chroma='4:1:1'.*4:2:0, 4:2:2, 4:4:4"),
        (lambda: BlurAttack(sigma=-1.5), r"attack\.sigma=-1\.5: this is a number above 0, 100 at most"),
        (lambda: BlurAttack(sigma=0), r"attack\.sigma=0"),
        (lambda: NoiseAttack(std=0), r"attack\.std=0"),
        (lambda: NoiseAttack(std=256), r"attack\.std=256"),
        (lambda: NoiseAttack(seed=-1), r"attack\.seed=-1"),
        (lambda: H264Attack(crf=60), r"attack\.crf=60: .* from 0 to 51"),
        (lambda: H264Attack(crf=-1), r"attack\.crf=-1"),
        (lambda: ResizeAttack(factor=1), r"attack\.factor=1: this is a number above 1"),
        (lambda: ResizeAttack(interpolation="area"), r"attack\.interpolation='area'.*bicubic, bilinear"),
    ],
)
def test_a_strength_out_of_range_names_its_option(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "2", [2]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(UserError, match="key="):
        number(value, "key", 0, 100)
    with pytest.raises(UserError, match="key="):
        whole_number(value, "key", 0, 100)


def test_the_ends_of_the_range():
    assert [whole_number(value, "key", 1, 100) for value in (1, 100)] == [1, 100]
    assert number(100, "key", 0, 100) == 100.0
    with pytest.raises(UserError):
        number(0, "key", 0, 100)


@pytest.mark.parametrize("severity", [0, 6, 2.5, "strong", None, True])
def test_an_unknown_severity_names_those_that_there_are(severity):
    with pytest.raises(
        UserError, match=r"attack\.severity=.*: it is one of 1, 2, 3, 4, 5; or set key itself"
    ):
        of_severity(None, severity, (25, 18, 15, 10, 7), "key")


def test_a_value_wins_over_the_severity():
    assert of_severity(60, 5, (25, 18, 15, 10, 7), "key") == 60
    assert [of_severity(None, severity, (25, 18), "key") for severity in (1, 2)] == [25, 18]
