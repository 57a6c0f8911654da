"""Reads a photo as if it were a video of one frame. Damage is reported, not smoothed over."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sr_deepfake.data.extraction.video import DrawnFrames, VideoError

PHOTO_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MAX_PIXELS = (
    120_000_000  # of a photo: more than cameras of phones write, and about 2 GiB while its face is looked for
)

_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")  # what a suffix cannot smuggle in is a PostScript file
_SIXTEEN_BITS = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})


def is_photo(path: Path) -> bool:
    """Whether a file is taken for a photo, by its suffix.

    >>> is_photo(Path("a/face.JPG")), is_photo(Path("a/clip.mp4"))
    (True, False)
    """
    return path.suffix.lower() in PHOTO_SUFFIXES


def read_photo(path: Path) -> DrawnFrames:
    """Read a photo, upright, as RGB of 8 bits.

    Of 16 bits the upper 8 are taken; an alpha channel is left out; of several pictures in a file the first counts.

    Args:
        path: the file.

    Returns:
        One frame, uint8 `H×W×3`, with index 0.

    Raises:
        VideoError: the photo cannot be had; its reason is "missing", "empty file", "unreadable" or "too large"
            (of more than `MAX_PIXELS` pixels).

    >>> read_photo(Path("no/such/photo.png"))
    Traceback (most recent call last):
        ...
    sr_deepfake.data.extraction.video.VideoError: missing: no/such/photo.png
    """
    try:
        if path.stat().st_size == 0:
            raise VideoError("empty file", "0 bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is another one
            with Image.open(path, formats=_FORMATS) as photo:
                width, height = photo.size
                if width * height > MAX_PIXELS:
                    raise Image.DecompressionBombError(f"{width}×{height} px")
                image = _rgb(photo)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoError("missing", str(path)) from error
    except Image.DecompressionBombError as error:
        raise VideoError("too large", f"{error}; at most {MAX_PIXELS:,} pixels are read") from error
    except UnidentifiedImageError as error:
        raise VideoError("unreadable", f"none of {', '.join(_FORMATS)}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise VideoError("unreadable", getattr(error, "strerror", None) or str(error)) from error
    return DrawnFrames([0], [image], 1)


def _rgb(photo: Image.Image) -> NDArray[np.uint8]:
    if photo.mode in ("I", "F"):
        raise ValueError(f"its pixels are numbers without a known white (mode {photo.mode})")
    upright = ImageOps.exif_transpose(photo)
    if upright.mode in _SIXTEEN_BITS:
        # Pillow would clip at 255 instead.
        grey = (np.asarray(upright) >> 8).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    return np.array(upright.convert("RGB"))
