import io
import zlib

import pytest
from PIL import Image

from sr_deepfake.media.png_chunks import bit_depth, metadata_chunks, with_chunks


def chunk(name: bytes, content: bytes = b"x") -> bytes:
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (1, 2, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def test_metadata_go_from_one_file_to_another():
    plain = png()
    place = plain.index(b"IDAT") - 4
    end = plain.index(b"IEND") - 4
    text, gamma, private, unsafe = (chunk(name) for name in (b"tEXt", b"gAMA", b"prVt", b"prVT"))
    source = plain[:place] + gamma + chunk(b"bKGD") + private + unsafe + plain[place:end] + text + plain[end:]
    before, after = metadata_chunks(source)
    assert (before, after) == ([gamma, private], [text])
    result = with_chunks(plain, before, after)
    assert result == plain[:place] + gamma + private + plain[place:end] + text + plain[end:]
    with Image.open(io.BytesIO(with_chunks(plain, [chunk(b"tEXt", b"Author\0me")], []))) as image:
        assert image.getpixel((2, 1)) == (1, 2, 3)
        assert image.text == {"Author": "me"}
    assert bit_depth(plain) == 8


def test_own_metadata_give_way():
    with_text = with_chunks(png(), [chunk(b"tEXt", b"Author\0me")], [])
    assert with_chunks(with_text, [], []) == png()


def test_other_data_are_refused():
    with pytest.raises(ValueError, match="no PNG"):
        metadata_chunks(b"\xff\xd8")
