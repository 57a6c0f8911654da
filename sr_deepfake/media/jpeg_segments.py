"""What a JPEG file tells beside its pixels (EXIF, ICC, XMP, IPTC, density, comments), carried over byte by byte.

A file is a row of segments, each a marker (0xFF and a number), its length and its content; the picture's own data
begin after the segment SOS. Metadata are in the segments APP0 to APP15 and COM (ITU-T T.81, annex B).
"""

from collections.abc import Iterator

_SOI, _SOS, _COM, _APP0, _APP2, _APP14 = 0xD8, 0xDA, 0xFE, 0xE0, 0xE2, 0xEE


def metadata_segments(data: bytes) -> list[bytes]:
    """The segments of a file that hold metadata, each with its marker and length, in their order.

    Left out are two that describe the file itself: Adobe's APP14 (how colours are coded) and the index of further
    pictures (APP2 "MPF").

    Raises:
        ValueError: these are no JPEG data.
    """
    return [
        data[start:stop]
        for marker, start, stop in _segments(data)
        if (_APP0 <= marker <= 0xEF or marker == _COM)
        and marker != _APP14
        and not (marker == _APP2 and data[start + 4 : start + 8] == b"MPF\0")
    ]


def with_segments(data: bytes, segments: list[bytes]) -> bytes:
    r"""JPEG data with these metadata in the place of their own.

    Example:
        >>> plain = b"\xff\xd8" b"\xff\xe0\0\x03a" b"\xff\xda\0\x02 and the picture"
        >>> with_segments(plain, [b"\xff\xfe\0\x05who"])
        b'\xff\xd8\xff\xfe\x00\x05who\xff\xda\x00\x02 and the picture'
        >>> metadata_segments(_)
        [b'\xff\xfe\x00\x05who']

    Raises:
        ValueError: these are no JPEG data.
    """
    own = {
        (start, stop)
        for marker, start, stop in _segments(data)
        if (_APP0 <= marker <= 0xEF or marker == _COM) and marker != _APP14
    }
    rest = [data[start:stop] for _, start, stop in _segments(data) if (start, stop) not in own]
    end = max((stop for _, _, stop in _segments(data)), default=2)
    return b"".join([data[:2], *segments, *rest, data[end:]])


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before SOS."""
    if data[:2] != bytes([0xFF, _SOI]):
        raise ValueError("no JPEG data")
    at = 2
    while at + 4 <= len(data):
        start = at
        while data[at + 1 : at + 2] == b"\xff":  # markers may be padded
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF or marker == _SOS:
            return
        stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, start, stop
        at = stop
