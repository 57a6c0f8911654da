"""Photo files of every kind, with all that can stand beside their pixels."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin, TiffTags

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><about>me</about></x:xmpmeta>'
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MAKER, EXIF_IFD, GPS_IFD, TAKEN = 271, 34665, 34853, 36867

# What is read and written: suffix, mode, lossless.
KINDS = [
    *(("png", mode, True) for mode in ("L", "LA", "P", "RGB", "RGBA")),
    *(("tiff", mode, True) for mode in ("L", "LA", "P", "RGB", "RGBA")),
    *(("bmp", mode, True) for mode in ("L", "P", "RGB")),
    *(("webp", mode, True) for mode in ("RGB", "RGBA")),
    ("webp", "lossy", False),
    *(("jpg", mode, False) for mode in ("L", "RGB")),
]
# What is refused, and the words that name it.
REFUSED = [
    *(("png", mode, "16 bits a channel") for mode in ("RGB;16", "RGBA;16")),
    ("png", "I;16", "mode I;16"),
    ("tiff", "RGB;16", "16 bits a channel"),
    ("tiff", "CMYK", "mode CMYK"),
    ("jpg", "CMYK", "mode CMYK"),
    ("png", "1", "mode 1"),
    ("tiff", "F", "mode F"),
    ("tiff", "I", "mode I"),
    ("tiff", "LAB", "mode LAB"),
]


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[274], block[MAKER] = orientation, "maker"
    block.get_ifd(EXIF_IFD)[TAKEN] = "2020:01:01 00:00:00"
    block.get_ifd(GPS_IFD)[1] = "N"
    return block


def metadata(suffix: str, orientation: int = 1) -> dict:
    """What `save` of Pillow takes."""
    known = {"exif": exif(orientation), "icc_profile": ICC, "dpi": (300, 300)}
    if suffix == "bmp":
        return {"dpi": (300, 300)}
    if suffix == "png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", XMP.decode())
        text.add_text("Author", "me & you")
        return known | {"pnginfo": text}
    if suffix == "webp":
        del known["dpi"]
    if suffix == "tiff":
        return {"tiffinfo": _tags(orientation), "icc_profile": ICC, "dpi": (300, 300)}
    return known | {"xmp": XMP}


def _tags(orientation: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    """What `exif` and XMP say, as tags: Pillow writes less of them into TIFF files."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274], tags[MAKER], tags[700] = orientation, "maker", XMP
    for tag, values in ((EXIF_IFD, {TAKEN: "2020:01:01 00:00:00"}), (GPS_IFD, {1: "N"})):
        tags.tagtype[tag] = TiffTags.LONG
        tags[tag] = values
    return tags


def alpha_of(picture: np.ndarray) -> np.ndarray:
    """An alpha that differs from place to place, nowhere quite transparent."""
    return (255 - picture[:, :, :1] // 2).astype(picture.dtype)


def write_photo(path: Path, mode: str, picture: np.ndarray, orientation: int = 1) -> Path:
    """Write an RGB picture as a file of this mode."""
    suffix = path.suffix[1:]
    if mode in ("RGB;16", "RGBA;16", "I;16"):
        deep = picture.astype(np.uint16) * 256 + np.random.default_rng(0).integers(0, 256, picture.shape)
        deep = deep.astype(np.uint16)
        if mode == "I;16":
            Image.fromarray(np.ascontiguousarray(deep[:, :, 0])).save(path)
        else:
            alpha = [alpha_of(picture).astype(np.uint16) * 257] if mode == "RGBA;16" else []
            cv2.imwrite(str(path), np.concatenate([deep[:, :, ::-1], *alpha], axis=2))
        return path
    if mode in ("F", "I", "LAB"):
        Image.new(mode, (30, 20)).save(path)
        return path
    if mode in ("RGBA", "LA"):
        image = Image.fromarray(np.concatenate([picture, alpha_of(picture)], axis=2)).convert(mode)
    else:
        image = Image.fromarray(picture).convert("RGB" if mode == "lossy" else mode)
    options = metadata(suffix, orientation)
    if suffix == "webp":
        options |= {"lossless": mode != "lossy", "exact": True}
    image.save(path, **options)
    return path


def stored(path: Path) -> np.ndarray:
    """All that a file's pixels hold, in RGB(A) or grey."""
    with Image.open(path) as image:
        if image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels
