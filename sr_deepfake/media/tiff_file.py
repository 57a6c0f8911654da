"""TIFF files of 8 or 16 bits a channel (Pillow writes no RGB of 16), with another file's tags."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import TiffImagePlugin, TiffTags

from sr_deepfake.media.colour import CHANNELS, Pixels

_HEADER = b"II*\0\x08\0\0\0"  # little-endian; the tags begin at byte 8
_PHOTOMETRIC = {"L": 1, "LA": 1, "RGB": 2, "RGBA": 2, "CMYK": 5}
_UNASSOCIATED_ALPHA = 2
NOT_COMPRESSED, _DEFLATE, _HORIZONTAL_DIFFERENCES = 1, 8, 2

# Tags of how the pixels are stored, which are written anew: size, compression, strips, tiles, tables, sub-pictures.
_OF_THE_PIXELS = {*range(256, 264), 266, 273, *range(277, 282), 284, *range(288, 294), 301, 317, 320}
_OF_THE_PIXELS |= {
    *range(322, 326),
    330,
    332,
    334,
    336,
    *range(338, 342),
    347,
    *range(512, 522),
    *range(529, 533),
}
_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
ORIENTATION, ICC, XMP, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 34675, 700, 282, 283, 296


class Tags:
    """The tags of a TIFF file that say nothing of how its pixels are stored.

    Args:
        values: value of each tag, a dictionary for EXIF and GPS.
        types: number of the type of each, as far as it is known.
    """

    def __init__(self, values: Mapping[int, Any], types: Mapping[int, int] | None = None) -> None:
        self.values = {tag: value for tag, value in values.items() if tag not in _OF_THE_PIXELS}
        self.types = dict(types or {})


def with_stored_order(data: bytes) -> tuple[bytes, int | None]:
    """A TIFF file that asks for no turning, and the orientation that it asked for; other data as they are, and None.

    Libraries differ, by version too, in whether they turn what they read.
    """
    order = {b"II": "little", b"MM": "big"}.get(data[:2])
    if order is None or len(data) < 16:
        return data, None

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if order == "little" else "big")

    if number(2, 2) not in (42, 43):
        return data, None
    # Sizes of a place in the file, of the number of tags, of a tag.
    place, count, entry = (8, 8, 20) if number(2, 2) == 43 else (4, 2, 12)
    start = number(place, place)
    for at in range(
        start + count, min(start + count + number(start, count) * entry, len(data) - entry), entry
    ):
        if number(at, 2) == ORIENTATION:
            value, orientation = at + entry - place, number(at + entry - place, 2)
            upright = (1).to_bytes(2, "little" if order == "little" else "big")
            return data[:value] + upright + data[value + 2 :], orientation
    return data, None


def read_tags(photo: TiffImagePlugin.TiffImageFile, orientation: int | None = None) -> Tags:
    """The tags of an open TIFF file.

    Args:
        photo: the file.
        orientation: what `with_stored_order` took away.
    """
    values = dict(photo.tag_v2)
    if orientation is not None:
        values[ORIENTATION] = orientation
    exif = photo.getexif()
    for tag in (_EXIF, _GPS):
        if tag in values:
            # In the file it is a place; in what is written, the tags that are there.
            values[tag] = {key: value for key, value in exif.get_ifd(tag).items() if key != _INTEROPERABILITY}
    return Tags(values, dict(photo.tag_v2.tagtype) | {_EXIF: TiffTags.LONG, _GPS: TiffTags.LONG})


def tiff_bytes(pixels: Pixels, mode: str, tags: Tags, compressed: bool = True) -> bytes:
    """A TIFF file, lossless.

    Args:
        pixels: `H×W×C`, uint8 or uint16.
        mode: one of `CHANNELS`.
        tags: what else goes into it.
        compressed: with deflate; else not at all.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> data = tiff_bytes(np.full((2, 3, 3), 7, np.uint8), "RGB", Tags({270: "a picture"}))
        >>> photo = Image.open(io.BytesIO(data))
        >>> photo.size, photo.getpixel((2, 1)), photo.tag_v2[270]
        ((3, 2), (7, 7, 7), 'a picture')
    """
    height, width, channels = pixels.shape
    if channels != CHANNELS[mode]:
        raise ValueError(f"{mode} has {CHANNELS[mode]} channels, these pixels {channels}")
    little = np.array(pixels, dtype=pixels.dtype.newbyteorder("<"), order="C")
    if compressed:
        little[:, 1:] -= little[:, :-1].copy()  # whole numbers wrap around, and back when they are read
    strip = zlib.compress(little.tobytes()) if compressed else little.tobytes()
    ifd = TiffImagePlugin.ImageFileDirectory_v2(_HEADER)
    for tag, value in tags.values.items():
        if tag in tags.types:
            ifd.tagtype[tag] = tags.types[tag]
        if isinstance(value, str):
            # Pillow reads text as Latin-1 and writes it as ASCII: given as bytes, whatever it is stays what it was.
            ifd.tagtype[tag] = TiffTags.ASCII
            value = value.encode("latin-1", "replace")
        ifd[tag] = value
    structure: dict[int, Any] = {
        256: width,
        257: height,
        258: (pixels.dtype.itemsize * 8,) * channels,
        259: _DEFLATE if compressed else NOT_COMPRESSED,
        262: _PHOTOMETRIC[mode],
        273: 0,  # Pillow makes it the place behind the tags
        277: channels,
        278: height,
        279: len(strip),
        284: 1,
    }
    if compressed:
        structure[317] = _HORIZONTAL_DIFFERENCES
    if mode in ("LA", "RGBA"):
        structure[338] = _UNASSOCIATED_ALPHA
    for tag, value in structure.items():
        ifd.tagtype[tag] = TiffTags.LONG if tag in (256, 257, 273, 278, 279) else TiffTags.SHORT
        ifd[tag] = value
    return _HEADER + ifd.tobytes(len(_HEADER)) + strip
