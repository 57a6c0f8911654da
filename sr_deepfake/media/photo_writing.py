"""Photos as files: lossless where the format allows it, with what the file they came from tells beside its pixels."""

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin

from sr_deepfake.media.colour import Pixels
from sr_deepfake.media.jpeg_segments import with_segments
from sr_deepfake.media.photo import Photo
from sr_deepfake.media.png_chunks import metadata_chunks, with_chunks
from sr_deepfake.media.tiff_file import (
    ICC,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    Tags,
    tiff_bytes,
)
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import printable, replacing

SUFFIXES = {
    ".bmp": "BMP", ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
# What each format can hold: Pillow's modes, and whether also with 16 bits a channel.
_HOLDS = {
    "BMP": (("L", "RGB", "RGBA"), False),
    "JPEG": (("L", "RGB", "CMYK"), False),
    "PNG": (("L", "LA", "RGB", "RGBA"), True),
    "TIFF": (("L", "LA", "RGB", "RGBA", "CMYK"), True),
    "WEBP": (("L", "LA", "RGB", "RGBA"), False),
}
QUALITY = 95  # of what cannot be lossless
_INCHES = 2


def write_photo_file(photo: Photo, path: Path, quality: int = QUALITY) -> None:
    """Write a photo in the format that the path's suffix names, else in its own; whole or not at all.

    Lossless in PNG, TIFF and BMP, and in WebP if the photo's own coding was. JPEG has the chroma subsampling of the
    photo's JPEG file, and its quantisation if that is finer than `quality`.

    Args:
        photo: what to write; all that its file told beside the pixels goes along (in another format: EXIF, ICC, XMP
            and density).
        path: where.
        quality: of JPEG and of lossy WebP, 1 to 100.

    Raises:
        UserError: the format cannot hold the photo's pixels.
    """
    kind = SUFFIXES.get(path.suffix.lower(), photo.format)
    modes, deep = _HOLDS[kind]
    if photo.mode not in modes or (photo.pixels.dtype == np.uint16 and not deep):
        bits = photo.pixels.dtype.itemsize * 8
        fitting = [name for name, (has, wide) in _HOLDS.items() if photo.mode in has and (wide or bits == 8)]
        raise UserError(
            f"{printable(str(path))}: {kind} holds no {photo.mode} of {bits} bits; give the output one of the "
            f"formats {', '.join(fitting)}"
        )
    data = _ENCODERS[kind](photo, quality)
    with replacing(path) as beside:
        beside.write_bytes(data)


def _jpeg(photo: Photo, quality: int) -> bytes:
    options: dict[str, Any] = {"quality": quality, "subsampling": 0}
    if photo.jpeg is None:
        return _saved(photo, "JPEG", options | _common(photo))
    coding, segments = photo.jpeg
    if photo.mode != "L":
        options["subsampling"] = max(coding.sampling, 0)  # of what Pillow has no name for, nothing is lost
    if _is_finer(coding.tables, quality):
        options |= {"qtables": coding.tables}
        del options["quality"]
    options["progressive"] = coding.progressive
    return with_segments(_saved(photo, "JPEG", options), segments)


def _is_finer(tables: Mapping[int, list[int]], quality: int) -> bool:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as sample:
        if not isinstance(sample, JpegImagePlugin.JpegImageFile):
            raise TypeError("Pillow reads its own JPEG as something else")
        reference = sample.quantization
    return all(sum(table) <= sum(reference[min(number, 1)]) for number, table in tables.items())


def _png(photo: Photo, quality: int) -> bytes:
    if photo.pixels.dtype == np.uint16:
        data = cv2.imencode(".png", _bgr(photo.pixels))[1].tobytes()
        return with_chunks(data, *(photo.png or _png_chunks(photo)))
    if photo.png is None:
        return _saved(photo, "PNG", _common(photo) | {"pnginfo": _xmp_of(photo)})
    return with_chunks(_saved(photo, "PNG", {}), *photo.png)


def _png_chunks(photo: Photo) -> tuple[list[bytes], list[bytes]]:
    """The metadata of a photo of another format as chunks."""
    buffer = io.BytesIO()
    options = _common(photo) | {"pnginfo": _xmp_of(photo)}
    Image.new("L" if photo.mode == "L" else "RGB", (1, 1)).save(buffer, "PNG", **options)
    return metadata_chunks(buffer.getvalue())


def _xmp_of(photo: Photo) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if photo.metadata.xmp:
        info.add_itxt("XML:com.adobe.xmp", photo.metadata.xmp.decode("utf-8", "replace"))
    return info


def _webp(photo: Photo, quality: int) -> bytes:
    options = _common(photo) | {"xmp": photo.metadata.xmp or b""}
    options.pop("dpi", None)
    # `exact` keeps the colours of transparent pixels.
    coding = {"lossless": photo.lossless, "quality": quality, "exact": True}
    return _saved(photo, "WEBP", options | coding)


def _bmp(photo: Photo, quality: int) -> bytes:
    photo = replace(photo, pixels=photo.upright, orientation=1)  # it has no place to ask for a turn
    if photo.mode == "RGBA":  # Pillow writes it in a way in which its alpha is not read again
        encoded: bytes = cv2.imencode(".bmp", _bgr(photo.pixels))[1].tobytes()
        return encoded
    return _saved(photo, "BMP", {"dpi": photo.metadata.dpi} if photo.metadata.dpi else {})


def _tiff(photo: Photo, quality: int) -> bytes:
    if photo.tiff is not None:
        return tiff_bytes(photo.pixels, photo.mode, photo.tiff, photo.compressed)
    values: dict[int, Any] = {}
    if photo.metadata.exif:
        exif = Image.Exif()
        exif.load(photo.metadata.exif)
        values |= dict(exif) | {tag: exif.get_ifd(tag) for tag in (34665, 34853) if exif.get_ifd(tag)}
    if photo.metadata.dpi:
        horizontal, vertical = photo.metadata.dpi
        values |= {X_RESOLUTION: horizontal, Y_RESOLUTION: vertical, RESOLUTION_UNIT: _INCHES}
    values |= {tag: block for tag, block in ((ICC, photo.metadata.icc), (XMP, photo.metadata.xmp)) if block}
    return tiff_bytes(
        photo.pixels, photo.mode, Tags(values, dict.fromkeys((34665, 34853), 4) | {ICC: 7, XMP: 1})
    )


_ENCODERS = {"BMP": _bmp, "JPEG": _jpeg, "PNG": _png, "TIFF": _tiff, "WEBP": _webp}


def _bgr(pixels: Pixels) -> Pixels:
    """Grey, RGB or RGBA in OpenCV's order."""
    order = [0] if pixels.shape[2] == 1 else [2, 1, 0, 3][: pixels.shape[2]]
    turned: Pixels = np.ascontiguousarray(pixels[:, :, order])
    return turned


def _common(photo: Photo) -> dict[str, Any]:
    """What the photo's file tells, as Pillow's options."""
    known = {"exif": photo.metadata.exif, "icc_profile": photo.metadata.icc, "dpi": photo.metadata.dpi}
    if photo.metadata.xmp:
        known["xmp"] = photo.metadata.xmp
    return {name: value for name, value in known.items() if value}


def _saved(photo: Photo, kind: str, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    photo.image().save(buffer, kind, **options)
    return buffer.getvalue()
