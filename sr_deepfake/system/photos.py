"""The reader of photos, for all programs: 8-bit grey, RGB, alpha and palettes. Everything else is refused by name."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from sr_deepfake.system.errors import SourceError

PHOTO_SUFFIXES = frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")  # what a suffix cannot smuggle in is a PostScript file
MAX_PIXELS = 120_000_000  # more than phones' cameras write, and about 2 GiB while a face is looked for
_MODES = frozenset({"L", "LA", "P", "PA", "RGB", "RGBA"})
_LARGEST_TEXT = 2**26  # bytes, of a PNG's profile or text; Pillow's own limit of 2^20 is no damage
_PLANAR_CONFIGURATION, _SEPARATE = 284, 2
_lock = threading.Lock()


def is_photo(path: Path) -> bool:
    """Whether a file is taken for a photo, by its suffix."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def open_photo(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open and decode a photo."""
    try:
        if path.exists() and not path.is_file():
            raise SourceError("unreadable", "not a file")
        data = path.read_bytes()
        if not data:
            raise SourceError("empty file", "0 bytes")
        with _limits_of_ours():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            _check(image, max_pixels)
            image.load()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError("missing", "no such file") from error
    except UnidentifiedImageError as error:
        raise SourceError("unreadable", f"not a kind of {', '.join(FORMATS)} that can be read") from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError) as error:
        raise SourceError(
            "unreadable", f"damaged or cut short ({getattr(error, 'strerror', None) or error})"
        ) from error
    return image


def _check(image: Image.Image, max_pixels: int) -> None:
    """Refuse what is too large, or of a kind that is not supported."""
    width, height = image.size
    if width * height > max_pixels:
        raise SourceError(
            "too large", f"{width}×{height} px are {width * height:,} pixels; at most {max_pixels:,} are read"
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise SourceError("not supported", f"{image.n_frames} pictures in one file")  # type: ignore[attr-defined]
    if image.mode not in _MODES:
        raise SourceError("not supported", f"pixels of mode {image.mode}; save it as 8-bit RGB")
    deep = any(";16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]
    if deep:  # Pillow would keep the upper 8 bits
        raise SourceError("not supported", "16 bits a channel; save it as 8-bit RGB")
    if image.format == "TIFF" and image.tag_v2.get(_PLANAR_CONFIGURATION) == _SEPARATE:  # type: ignore[attr-defined]
        raise SourceError("not supported", "a TIFF with separate planes; save it with interleaved ones")


@contextmanager
def _limits_of_ours() -> Iterator[None]:
    """Pillow's limits are one for all of the process: ours, for the time of one opening."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        pixels, text = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = None, _LARGEST_TEXT
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = pixels, text
