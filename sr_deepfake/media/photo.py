"""Photo files: upright pixels and the metadata that is kept."""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, JpegImagePlugin, PngImagePlugin

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.faces import Picture, cut, paste
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import printable, replacing
from sr_deepfake.system.photos import MAX_PIXELS, PHOTO_SUFFIXES, open_photo

QUALITY = 95  # of what cannot be lossless
_OPAQUE = ("BMP", "JPEG")  # formats without transparency
_XMP = 700
# EXIF that is kept: of the main block description, make, model, resolution, software, date, artist, host, copyright; of
# the two others what the standard names, without the maker's own notes, which may hold a picture.
_KEPT = {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 33432}
_KEPT_BELOW = {ExifTags.IFD.Exif: set(range(33434, 42241)) - {37500}, ExifTags.IFD.GPSInfo: set(range(32))}
# Tags that every TIFF has, or that this program accounts for: how pixels are stored, orientation, XMP, ICC, pointers.
_OF_PIXELS = {
    *range(254, 270), *range(273, 282), 284, *range(288, 294), 301, 317, *range(320, 348), *range(512, 533), _XMP, 34665,
    34675, 34853, 40965,
}  # fmt: skip
# Of Pillow's information about a picture: what is kept, and what the coding is.
_KNOWN_INFO = {
    "icc_profile", "dpi", "exif", "xmp", "XML:com.adobe.xmp", "jfif", "jfif_version", "jfif_unit", "jfif_density", "mp",
    "mpoffset", "adobe", "adobe_transform", "progression", "progressive", "transparency", "compression", "interlace",
    "srgb", "aspect", "loop", "background", "timestamp", "duration", "resolution", "bbox",
}  # fmt: skip
_EMBEDDED = re.compile(rb"Thumbnails|xmpGImg|hdrgm:|GContainer|MicroVideo|MotionPhoto")  # pictures in an XMP packet
# The pixels are upright: readers turn them by this where EXIF has no orientation.
_XMP_ORIENTATION = re.compile(
    rb"""\btiff:Orientation\s*=\s*("[^"]*"|'[^']*')|<tiff:Orientation\b[^>]*(/>|>[^<]*</tiff:Orientation\s*>)"""
)
_CLIP_AT_THE_END = re.compile(rb"\xff\xd9.{0,64}?\x00\x00.{2}ftyp", re.DOTALL)


@dataclass
class Photo:
    """A photo, and the metadata of its file that are kept."""

    pixels: NDArray[np.uint8]  # upright, `H×W×C`; grey, grey and alpha, RGB or RGBA
    format: str = ""  # one of Pillow's names; empty where no file holds it
    lossless: bool = True  # whether the file's coding is
    exif: Image.Exif = field(default_factory=Image.Exif)
    xmp: bytes = b""
    options: dict[str, Any] = field(default_factory=dict)  # Pillow's, for ICC profile, density and JPEG's coding
    dropped: list[str] = field(default_factory=list)  # the metadata that is not kept, in words

    @property
    def mode(self) -> str:
        """Pillow's name of the pixels' kind."""
        return ("L", "LA", "RGB", "RGBA")[self.pixels.shape[2] - 1]

    def rgb(self) -> Picture:
        """The photo as RGB without alpha: a copy, `H×W×3`."""
        grey = self.mode in ("L", "LA")
        return np.repeat(self.pixels[:, :, :1], 3, axis=2) if grey else self.pixels[:, :, :3].copy()

    def put(self, crop: Crop, face: Picture, feather: int = 0) -> None:
        """Put a face (RGB, `S×S×3`; its luma into a grey photo) at a square; alpha stays. For `feather` see `paste`."""
        shown = np.array(Image.fromarray(face).convert("L"))[:, :, None] if self.mode in ("L", "LA") else face
        alpha = cut(self.pixels, crop)[:, :, shown.shape[2] :]
        paste(self.pixels, crop, np.concatenate([shown, alpha], axis=2), feather)

    def image(self) -> Image.Image:
        """The pixels as a picture of Pillow's."""
        return Image.fromarray(self.pixels[:, :, 0] if self.mode == "L" else self.pixels, self.mode)


def photo_of(image: Image.Image) -> Photo:
    """A picture of Pillow's, upright, as a photo that no file holds."""
    mode = {"P": "RGB", "PA": "RGBA"}.get(image.mode, image.mode)
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise UserError(f"pictures of mode {image.mode} are not supported; convert it to RGB")
    if "transparency" in image.info:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    pixels = np.array(ImageOps.exif_transpose(image).convert(mode))
    return Photo(pixels if pixels.ndim == 3 else pixels[:, :, None])


def read_photo_file(path: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo file, upright, with the metadata that is kept."""
    try:
        image = open_photo(path, max_pixels)
    except SourceError as error:
        option = " (photo.max_pixels=N raises the limit)" if error.reason == "too large" else ""
        raise UserError(f"{printable(str(path))}: {error.reason}: {printable(error.detail)}{option}") from None
    photo, data = photo_of(image), path.read_bytes()
    photo.format = "JPEG" if image.format == "MPO" else str(image.format)
    photo.lossless = photo.format not in ("JPEG", "WEBP") or (photo.format == "WEBP" and _webp_is_lossless(data))
    photo.options = {name: image.info[name] for name in ("icc_profile", "dpi") if image.info.get(name)}
    if image.format == "TIFF" and 282 not in image.getexif():
        photo.options.pop("dpi", None)  # which Pillow makes up
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        rgb = image.layers == 3 and image.info.get("adobe_transform") == 0 and "jfif" not in image.info
        sampling = JpegImagePlugin.get_sampling(image)
        kept = 0 if rgb else max(sampling, 0)
        if sampling != kept and image.layers == 3:
            photo.dropped.append("the chroma subsampling (a JPEG becomes 4:4:4)")
        photo.options |= {"qtables": image.quantization, "subsampling": kept, "keep_rgb": rgb}
        photo.options["progressive"] = "progressive" in image.info
    _take_metadata(photo, image, data)
    return photo


def _take_metadata(photo: Photo, image: Image.Image, data: bytes) -> None:
    """Keep EXIF and XMP that hold no picture of the face as it was, and note what is left out."""
    found = image.getexif()
    blocks = {0: (dict(found), _KEPT)} | {block: (found.get_ifd(block), _KEPT_BELOW[block]) for block in _KEPT_BELOW}
    for block, (values, kept) in blocks.items():
        target = photo.exif.get_ifd(block) if block and values else photo.exif
        for tag, value in values.items():
            if tag in kept:
                target[tag] = value
            elif block or tag not in _OF_PIXELS:
                photo.dropped.append(str({**ExifTags.TAGS, **ExifTags.GPSTAGS}.get(tag, f"EXIF tag {tag}")))
    if found.get_ifd(ExifTags.IFD.IFD1):
        photo.dropped.append("the thumbnail")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    photo.xmp = _XMP_ORIENTATION.sub(b"", xmp.encode() if isinstance(xmp, str) else xmp)
    if _EMBEDDED.search(photo.xmp):
        photo.xmp = b""
        photo.dropped.append("the XMP packet, which holds or points to pictures")
    texts = {name for name in getattr(image, "text", {}) if name[:4] != "XML:"}
    # PNG's gamma and chromaticity count where neither a profile nor sRGB is named.
    known = _KNOWN_INFO | ({"gamma", "chromaticity"} if image.info.keys() & {"icc_profile", "srgb"} else set())
    photo.dropped += sorted(str(name) for name in ({*image.info} - texts - known))
    photo.dropped += [f"the text {name!r}" for name in sorted(texts)]
    if getattr(image, "n_frames", 1) > 1:
        photo.dropped.append("further pictures in the file (a gain map or depth map)")
    if photo.format == "JPEG" and _CLIP_AT_THE_END.search(data):
        photo.dropped.append("the clip at the file's end")


def _webp_is_lossless(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data) and data[at : at + 4] not in (b"VP8 ", b"VP8L"):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return data[at : at + 4] == b"VP8L"


def check_output(path: Path, photo: Photo | None = None) -> str:
    """The format that a photo is written in: by the suffix, without one the photo's own."""
    suffix = path.suffix.lower()
    kind = Image.registered_extensions().get(suffix, photo.format if photo is not None else "PNG")
    if not kind or (suffix and suffix not in PHOTO_SUFFIXES):
        known = ", ".join(sorted(PHOTO_SUFFIXES))
        raise UserError(f"{printable(str(path))}: photos are not written as {path.suffix}; use one of {known}")
    if photo is not None and photo.mode in ("LA", "RGBA") and kind in _OPAQUE:
        raise UserError(f"{printable(str(path))}: {kind} cannot hold transparency; use PNG, TIFF or WEBP")
    return kind


def write_photo_file(photo: Photo, path: Path, quality: int = QUALITY) -> None:
    """Write a photo in the format of the path's suffix."""
    kind = check_output(path, photo)
    options = dict(photo.options)  # of which each format takes its own
    if len(photo.exif):
        options["exif"] = photo.exif
    if kind == "JPEG":
        if photo.format != "JPEG":
            options |= {"quality": quality, "subsampling": 0}
        if photo.mode == "L":
            options.pop("subsampling", None)
    elif kind == "WEBP":  # exact: colours of transparent pixels too
        options |= {"lossless": photo.lossless, "quality": quality, "exact": True}
    elif kind == "PNG" and photo.xmp:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", photo.xmp.decode("utf-8", "replace"))
    elif kind == "TIFF":
        exif = Image.Exif()
        exif.load(photo.exif.tobytes())
        if photo.xmp:
            exif[_XMP] = photo.xmp
        options["exif"] = exif
        if not any(block in exif for block in _KEPT_BELOW):  # which libtiff does not take
            options["compression"] = "tiff_adobe_deflate"
    if kind in ("JPEG", "WEBP") and photo.xmp:
        options["xmp"] = photo.xmp
    save_image(photo.image(), path, kind, **options)


def save_image(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    """Write a picture of Pillow's, whole or not at all: made in memory, so that a full disk is an error of writing."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
