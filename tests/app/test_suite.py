"""Suites of attacks."""

import pytest

from sr_deepfake.app.suite import attacks_of, quoted
from sr_deepfake.system.errors import UserError


def test_a_line_is_one_attack_or_several():
    lines, left_out = attacks_of({"attacks": ["attack=jpeg,blur attack.severity=1,3", "attack=jpeg attack.severity=3"]})
    assert [" ".join(words) for words in lines] == [
        "attack=jpeg attack.severity=1", "attack=jpeg attack.severity=3",
        "attack=blur attack.severity=1", "attack=blur attack.severity=3",
    ]  # fmt: skip
    assert left_out == []


def test_values_with_other_signs_are_quoted():
    assert quoted("nets/HAT_x2.pth") == "nets/HAT_x2.pth"
    assert quoted('my "nets"/a,b.pth') == r'"my \"nets\"/a,b.pth"'


def test_what_a_line_needs_is_filled_in_or_the_line_is_left_out():
    line = "attack=restoration sr_model.weights={restoration}"
    lines, left_out = attacks_of({"attacks": [line], "restoration": ["a.pth", "b.pth"]})
    assert [words[1] for words in lines] == ["sr_model.weights=a.pth", "sr_model.weights=b.pth"]
    (odd,) = attacks_of({"attacks": [f"  {line}"], "restoration": ["my nets/a,b=1.pth"]})[0]
    assert odd == ["attack=restoration", 'sr_model.weights="my nets/a,b=1.pth"']
    lines, left_out = attacks_of({"attacks": [line], "restoration": None})
    assert (lines, left_out) == ([], [f"{line}: suite.restoration is not given"])
    with pytest.raises(UserError, match=r"needs suite\.other"):
        attacks_of({"attacks": ["attack=sr sr_model.weights={other}"]})
