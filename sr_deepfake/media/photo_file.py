"""Reads photo files: their pixels as stored, and what else they tell. Damage is reported, not smoothed over."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError

from sr_deepfake.data.extraction.photo import MAX_PIXELS
from sr_deepfake.media.jpeg_segments import metadata_segments
from sr_deepfake.media.photo import FORMATS, TURNS, JpegCoding, Metadata, Photo, photo_of
from sr_deepfake.media.png_chunks import bit_depth, metadata_chunks
from sr_deepfake.media.tiff_file import (
    ICC,
    NOT_COMPRESSED,
    ORIENTATION,
    XMP,
    Tags,
    read_tags,
    with_stored_order,
)
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable

_lock = threading.Lock()


def read_photo_file(path: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo file: JPEG, PNG, WebP, TIFF or BMP, whatever its name says.

    Args:
        path: the file.
        max_pixels: a photo of more is refused before any of it is decoded.

    Raises:
        UserError: the file is missing, empty, damaged, too large, or of a kind that cannot be attacked: several
            pictures in one (an animation, pages), numbers without a known white.
    """
    try:
        if path.exists() and not path.is_file():
            raise UserError("this is no file")
        data = path.read_bytes()
        if not data:
            raise UserError("empty file (0 bytes)")
        data, orientation = with_stored_order(data)
        with _no_limit_of_pillow(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise UserError(
                    f"{width}×{height} px are {width * height:,} pixels; at most {max_pixels:,} are read "
                    f"(photo.max_pixels={width * height} raises the limit)"
                )
            return _read(image, data, orientation)
    except UnidentifiedImageError:
        raise UserError(
            f"{printable(str(path))}: it is none of {', '.join(FORMATS)}, and has no suffix of a video"
        ) from None
    except UserError as error:
        raise UserError(f"{printable(str(path))}: {error}") from None
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"{printable(str(path))}: {error.strerror}") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, cv2.error) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise UserError(f"{printable(str(path))}: damaged or cut short ({printable(said)})") from None


def _read(image: Image.Image, data: bytes, orientation: int | None) -> Photo:
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise UserError(f"there are {image.n_frames} pictures in it; only files of one are attacked")  # type: ignore[attr-defined]
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    tags = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = read_tags(image, orientation)
    else:
        orientation = int(image.getexif().get(ORIENTATION, 1))
    metadata = _metadata(image, tags)
    photo = _sixteen(image, data) if _sixteen_bits(image, data, kind) else photo_of(image)
    photo.format, photo.metadata, photo.tiff = kind, metadata, tags
    photo.orientation = orientation if orientation in TURNS else 1
    photo.lossless = kind in ("BMP", "PNG", "TIFF") or (kind == "WEBP" and _webp_is_lossless(data))
    if tags is not None:
        photo.compressed = image.tag_v2.get(259, 1) != NOT_COMPRESSED  # type: ignore[attr-defined]
    if kind == "JPEG":
        tables = image.quantization  # type: ignore[attr-defined]
        coding = JpegCoding(tables, JpegImagePlugin.get_sampling(image), "progressive" in image.info)
        photo.jpeg = coding, metadata_segments(data)
    elif kind == "PNG":
        photo.png = metadata_chunks(data)
    return photo


def _metadata(image: Image.Image, tags: Tags | None) -> Metadata:
    info = image.info
    if tags is None:
        exif = info.get("exif")
        xmp = info.get("xmp") or info.get("XML:com.adobe.xmp")
    else:
        block = Image.Exif()
        block.update({tag: value for tag, value in tags.values.items() if tag not in (ICC, XMP)})
        exif, xmp = block.tobytes(), tags.values.get(XMP)
    if exif:
        exif = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")  # as JPEG has it; formats differ
    return Metadata(
        exif, info.get("icc_profile"), xmp.encode() if isinstance(xmp, str) else xmp, info.get("dpi")
    )


def _sixteen_bits(image: Image.Image, data: bytes, kind: str) -> bool:
    if kind == "PNG":
        return bit_depth(data) == 16
    return kind == "TIFF" and set(image.tag_v2.get(258, (1,))) == {16}  # type: ignore[attr-defined]


def _sixteen(image: Image.Image, data: bytes) -> Photo:
    if image.mode not in ("I;16", "I;16B", "I;16L", "I;16N", "I", "L", "LA", "RGB", "RGBA"):
        raise UserError(f"pixels of 16 bits in mode {image.mode} are not read; save it with 8 bits")
    image.load()  # Pillow finds damage that OpenCV passes over; it keeps the upper 8 bits only
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != image.size[::-1]:
        raise UserError("its pixels of 16 bits are in an order that is not read; save it with 8 bits")
    if pixels.ndim == 2:
        return Photo(pixels[:, :, None].astype(np.uint16), "L")
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return Photo(np.ascontiguousarray(pixels[:, :, order]), {3: "RGB", 4: "RGBA"}[pixels.shape[2]])


def _webp_is_lossless(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8L"
        at += 8 + length + length % 2
    return False


@contextmanager
def _no_limit_of_pillow() -> Iterator[None]:
    """The limit on pixels here is the caller's, not Pillow's (which is one for all of the process)."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
