"""Photo files: pixels as they are stored, and what a file tells beside them."""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, TiffTags

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.data.extraction.orientation import OF_EXIF
from sr_deepfake.media.faces import Picture, cut, paste
from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.files import printable, replacing
from sr_deepfake.system.photos import MAX_PIXELS, open_photo

QUALITY = 95  # of what cannot be lossless
SUFFIXES = {
    ".bmp": "BMP", ".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip
_HOLDS = {
    "BMP": ("L", "RGB"),
    "JPEG": ("L", "RGB"),
    "PNG": ("L", "LA", "RGB", "RGBA"),
    "TIFF": ("L", "LA", "RGB", "RGBA"),
    "WEBP": ("L", "LA", "RGB", "RGBA"),
}
_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_ORIENTATION, _XMP = 274, 700
# TIFF tags of how pixels are stored, and blocks that are kept apart (XMP, ICC) or may hold a thumbnail (Photoshop).
_NOT_EXIF = {
    *range(254, 269), 273, *range(277, 282), 284, *range(288, 294), 301, 317, *range(320, 348), *range(512, 533), _XMP,
    34377, 34675,
}  # fmt: skip
_SUB_BLOCKS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# What in an XMP packet is, or points to, a picture of the old face.
_OLD_FACE = re.compile(rb"Thumbnails|xmpGImg|hdrgm:|GContainer|MicroVideo|MotionPhoto")
_CLIP_AT_THE_END = re.compile(rb"\xff\xd9.{0,64}?\x00\x00.{2}ftyp", re.DOTALL)


@dataclass
class Photo:
    """A photo.

    Attributes:
        pixels: `H×W×C` uint8 as they are stored; what has a palette is RGB or RGBA here.
        mode: "L", "LA", "RGB" or "RGBA".
        format: one of Pillow's names in `_HOLDS`; empty where no file holds it.
        orientation: of EXIF, 1 to 8: how the stored pixels are to be turned.
        lossless: whether the file's coding is.
        exif: the EXIF block, without a thumbnail.
        options: Pillow's options for what else the file tells: ICC profile, density, comment, and JPEG's coding.
        xmp: the XMP packet.
        text: a PNG's texts.
        dropped: what the file told that would show the old face, in words.
    """

    pixels: NDArray[np.uint8]
    mode: str
    format: str = ""
    orientation: int = 1
    lossless: bool = True
    exif: Image.Exif = field(default_factory=Image.Exif)
    options: dict[str, Any] = field(default_factory=dict)
    xmp: bytes | None = None
    text: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    @property
    def upright(self) -> NDArray[np.uint8]:
        """The pixels as they are to be looked at, `H×W×C`: a view, through which the stored pixels change."""
        return OF_EXIF[self.orientation].upright(self.pixels)

    def rgb(self) -> Picture:
        """The photo upright, as RGB without alpha: a copy, `H×W×3`."""
        grey = self.mode in ("L", "LA")
        return np.array(np.repeat(self.upright[:, :, :1], 3, axis=2) if grey else self.upright[:, :, :3], order="C")

    def put(self, crop: Crop, face: Picture, feather: int = 0) -> None:
        """Put a face into the photo; alpha and all outside its square stay.

        Args:
            crop: where, in the upright photo.
            face: RGB, `S×S×3`; of a grey photo its luma counts (ITU-R BT.601).
            feather: see `paste`.
        """
        shown = np.array(Image.fromarray(face).convert("L"))[:, :, None] if self.mode in ("L", "LA") else face
        alpha = cut(self.upright, crop)[:, :, shown.shape[2] :]
        paste(self.upright, crop, np.concatenate([shown, alpha], axis=2), feather)

    def image(self) -> Image.Image:
        """The pixels as they are stored, as a picture of Pillow's."""
        size = self.pixels.shape[1::-1]
        return Image.frombytes(self.mode, size, np.ascontiguousarray(self.pixels).tobytes())


def photo_of(image: Image.Image) -> Photo:
    """A picture of Pillow's as a photo that no file holds.

    Raises:
        UserError: it is not 8-bit grey, RGB, with alpha or with a palette.

    Example:
        >>> photo_of(Image.new("P", (4, 3))).mode
        'RGB'
    """
    mode = {"P": "RGB", "PA": "RGBA"}.get(image.mode, image.mode)
    if mode not in _CHANNELS:
        raise UserError(f"pictures of mode {image.mode} are not supported; convert it to RGB")
    if "transparency" in image.info:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    pixels = np.array(image.convert(mode) if image.mode != mode else image)
    return Photo(pixels.reshape(*pixels.shape[:2], _CHANNELS[mode]), mode)


def read_photo_file(path: Path, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo file, with what it tells beside its pixels.

    Args:
        path: the file.
        max_pixels: a photo of more is refused before any of it is decoded.

    Raises:
        UserError: it is missing, damaged, too large or of a kind that is not supported; the message names the file.
    """
    try:
        image = open_photo(path, max_pixels)
    except SourceError as error:
        mend = " (photo.max_pixels=N raises the limit)" if error.reason == "too large" else ""
        raise UserError(f"{printable(str(path))}: {error.reason}: {printable(error.detail)}{mend}") from None
    photo, data = photo_of(image), path.read_bytes()
    photo.format = "JPEG" if image.format == "MPO" else str(image.format)
    photo.lossless = photo.format in ("BMP", "PNG", "TIFF") or (photo.format == "WEBP" and _webp_is_lossless(data))
    photo.exif = _exif_of(image)
    if (orientation := photo.exif.get(_ORIENTATION, 1)) in OF_EXIF:
        photo.orientation = int(orientation)
    photo.options = {name: image.info[name] for name in ("icc_profile", "dpi", "comment") if image.info.get(name)}
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        tables, sampling = image.quantization, JpegImagePlugin.get_sampling(image)
        photo.options |= {
            "qtables": tables,
            "subsampling": max(sampling, 0),
            "progressive": "progressive" in image.info,
        }
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    photo.xmp = xmp.encode() if isinstance(xmp, str) else xmp
    texts = {name: str(value) for name, value in getattr(image, "text", {}).items() if name[:4] != "XML:"}
    # ImageMagick's way of keeping EXIF and Photoshop blocks, thumbnails in them, as text.
    photo.text = {name: value for name, value in texts.items() if not name.startswith("Raw profile type")}
    if texts.keys() - photo.text.keys():
        photo.dropped.append("raw profiles kept as text, which may hold a thumbnail")
    _drop_the_old_face(photo, image, data)
    return photo


def _exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF block without thumbnail, and without the tags that say how a TIFF stores its pixels."""
    found, exif = image.getexif(), Image.Exif()
    for tag, value in found.items():
        if tag not in _NOT_EXIF and tag not in _SUB_BLOCKS:
            exif[tag] = value
    for block in _SUB_BLOCKS:
        if values := found.get_ifd(block):
            exif.get_ifd(block).update(values)
    return exif


def _webp_is_lossless(data: bytes) -> bool:
    at = 12
    while at + 8 <= len(data) and data[at : at + 4] not in (b"VP8 ", b"VP8L"):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return data[at : at + 4] == b"VP8L"


def _drop_the_old_face(photo: Photo, image: Image.Image, data: bytes) -> None:
    """Note what shows the old face and is not written again."""
    if image.getexif().get_ifd(ExifTags.IFD.IFD1):
        photo.dropped.append("the thumbnail")
    if photo.xmp is not None and _OLD_FACE.search(photo.xmp):
        photo.xmp = None
        photo.dropped.append("the XMP packet, which holds or points to pictures")
    if getattr(image, "n_frames", 1) > 1:
        photo.dropped.append("further pictures in the file (a gain map or depth map)")
    if photo.format == "JPEG" and _CLIP_AT_THE_END.search(data):
        photo.dropped.append("the clip at the file's end")


def check_output(path: Path, like: Photo | None = None) -> str:
    """The format that a photo is written in: by the suffix, without one the photo's own.

    Raises:
        UserError: the suffix is no photo format's, or the format does not hold the photo's pixels.
    """
    kind = SUFFIXES.get(path.suffix.lower(), "" if path.suffix else (like.format if like else "PNG"))
    if not kind:
        raise UserError(
            f"{printable(str(path))}: photos are not written as {path.suffix}; use one of {', '.join(sorted(SUFFIXES))}"
        )
    if like is not None and like.mode not in _HOLDS[kind]:
        fitting = ", ".join(name for name, modes in _HOLDS.items() if like.mode in modes)
        raise UserError(f"{printable(str(path))}: {kind} cannot hold {like.mode}; use one of the formats {fitting}")
    return kind


def write_photo_file(photo: Photo, path: Path, quality: int = QUALITY) -> None:
    """Write a photo in the format of the path's suffix, whole or not at all.

    Lossless in PNG, TIFF and BMP, and in WebP if the photo's own coding was. JPEG has the chroma subsampling of the
    photo's JPEG file, and its quantisation if that is finer than `quality`. EXIF, ICC profile, XMP and density go along
    (BMP holds density alone and is written upright). A TIFF with EXIF or GPS blocks is not compressed.

    Args:
        photo: what to write.
        path: where.
        quality: of JPEG and of lossy WebP, 1 to 100.

    Raises:
        UserError: the format cannot hold the photo's pixels.
    """
    kind = check_output(path, photo)
    options: dict[str, Any] = {name: photo.options[name] for name in ("icc_profile", "dpi") if name in photo.options}
    image, xmp = photo.image(), photo.xmp
    if kind == "BMP":
        image = Photo(photo.upright, photo.mode).image()
        options.pop("icc_profile", None)
    elif kind == "TIFF":
        options["tiffinfo"] = _tags(photo)
        if not any(block in options["tiffinfo"] for block in _SUB_BLOCKS):  # which libtiff does not take
            options["compression"] = "tiff_adobe_deflate"
    else:
        options |= {"exif": photo.exif.tobytes()} if len(photo.exif) else {}
    if kind == "PNG":
        options["pnginfo"] = _png_texts(photo)
    elif kind in ("JPEG", "WEBP") and xmp:
        options["xmp"] = xmp
    if kind == "JPEG":
        own = {name: photo.options[name] for name in ("progressive", "comment") if name in photo.options}
        options |= own | {"quality": quality, "subsampling": photo.options.get("subsampling", 0)}
        if photo.mode == "L":
            del options["subsampling"]
        if _is_finer(photo.options.get("qtables"), quality):
            options["qtables"] = photo.options["qtables"]
            del options["quality"]
    elif kind == "WEBP":
        options |= {"lossless": photo.lossless, "quality": quality, "exact": True}  # colours of transparent pixels too
        options.pop("dpi", None)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    with replacing(path) as beside:
        beside.write_bytes(buffer.getvalue())


def _tags(photo: Photo) -> TiffImagePlugin.ImageFileDirectory_v2:
    """EXIF and XMP as TIFF tags."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in photo.exif.items():
        tags[tag] = value
    for block in _SUB_BLOCKS:
        if values := dict(photo.exif.get_ifd(block)):
            tags.tagtype[block] = TiffTags.LONG
            tags[block] = values
    if photo.xmp:
        tags[_XMP] = photo.xmp
    return tags


def _png_texts(photo: Photo) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    if photo.xmp:
        info.add_itxt("XML:com.adobe.xmp", photo.xmp.decode("utf-8", "replace"))
    for name, value in photo.text.items():
        info.add_itxt(name, value)
    return info


def _is_finer(tables: dict[int, list[int]] | None, quality: int) -> bool:
    if tables is None:
        return False
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as sample:
        reference = sample.quantization  # type: ignore[attr-defined]
    return all(sum(table) <= sum(reference[min(number, 1)]) for number, table in tables.items())
