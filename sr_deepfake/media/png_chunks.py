"""What a PNG file tells beside its pixels (EXIF, ICC, XMP, text, density, time), carried over byte by byte.

A file is a signature and a row of chunks, each its length, four letters, its content and a checksum (PNG
specification, third edition, section 5).
"""

from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What a PNG file tells of its pixels as they are stored; of another file's pixels it would not be true.
_OF_THE_PIXELS = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "hIST", "bKGD", "sBIT", "acTL", "fcTL", "fdAT"}
_KNOWN = {"cHRM", "gAMA", "iCCP", "sRGB", "cICP", "mDCV", "cLLI", "pHYs", "sPLT", "eXIf", "tIME"}
_KNOWN |= {"tEXt", "zTXt", "iTXt"}


def metadata_chunks(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """The chunks of a file that hold metadata: those before its pixels, and those after them.

    Chunks that are not in the specification go along if they say that they may (the fourth letter is small).

    Raises:
        ValueError: these are no PNG data.
    """
    before: list[bytes] = []
    after: list[bytes] = []
    pixels_seen = False
    for name, start, stop in _chunks(data):
        pixels_seen = pixels_seen or name == "IDAT"
        if name in _KNOWN or (name not in _OF_THE_PIXELS and name[0].islower() and name[3].islower()):
            (after if pixels_seen else before).append(data[start:stop])
    return before, after


def with_chunks(data: bytes, before: list[bytes], after: list[bytes]) -> bytes:
    """PNG data with these metadata in the place of their own.

    Raises:
        ValueError: these are no PNG data.
    """
    own = [(name, data[start:stop]) for name, start, stop in _chunks(data)]
    pixels = [chunk for name, chunk in own if name in _OF_THE_PIXELS]
    return b"".join([SIGNATURE, pixels[0], *before, *pixels[1:-1], *after, pixels[-1]])


def bit_depth(data: bytes) -> int:
    """Bits of a channel (of a palette's index, where there is one)."""
    return data[24]


def _chunks(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Name, start and end of each chunk."""
    if data[:8] != SIGNATURE:
        raise ValueError("no PNG data")
    at = 8
    while at + 12 <= len(data):
        stop = at + 12 + int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8].decode("latin-1"), at, stop
        at = stop
