from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.system.files import printable, safe_name


@given(st.text(), st.text())
def test_safe_names_are_safe_and_tell_texts_apart(one, other):
    texts = [text.encode("utf-8", "ignore").decode() for text in (one, other)]  # no lone surrogates in names
    names = [safe_name(text) for text in texts]
    assert all(0 < len(name) <= 53 for name in names)
    assert (names[0].lower() == names[1].lower()) == (texts[0] == texts[1])
    assert all(printable(text).isprintable() for text in texts)
