"""A photo: its pixels as a file stores them, and what else the file tells."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sr_deepfake.data.extraction.cropping import Crop
from sr_deepfake.media.colour import CHANNELS, Pixels, from_rgb, to_rgb
from sr_deepfake.media.faces import cut, paste
from sr_deepfake.media.tiff_file import Tags
from sr_deepfake.system.errors import UserError

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
# How each EXIF orientation's stored pixels are turned upright: transposed, rows reversed, columns reversed.
TURNS = {
    1: (False, False, False), 2: (False, False, True), 3: (False, True, True), 4: (False, True, False),
    5: (True, False, False), 6: (True, False, True), 7: (True, True, True), 8: (True, True, False),
}  # fmt: skip


@dataclass
class JpegCoding:
    """How a JPEG file's pixels are coded.

    Attributes:
        tables: quantisation tables, by their number.
        sampling: Pillow's number of the chroma subsampling: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0, -1 another.
        progressive: whether it is.
    """

    tables: dict[int, list[int]]
    sampling: int
    progressive: bool


@dataclass
class Metadata:
    """What a photo file tells beside its pixels, in a form that every format has.

    Attributes:
        exif: the EXIF block, with the letters that begin it in a JPEG file.
        icc: the colour profile.
        xmp: the XMP packet.
        dpi: pixels an inch, horizontally and vertically.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass
class Photo:
    """A photo.

    Attributes:
        pixels: `H×W×C` as they are stored, uint8 or uint16.
        mode: "L", "LA", "RGB", "RGBA" or "CMYK". What has a palette is RGB or RGBA here.
        format: one of `FORMATS`.
        orientation: of EXIF, 1 to 8: how the stored pixels are to be turned.
        lossless: whether the file's coding is.
        metadata: what else the file tells.
        jpeg: how a JPEG file is coded, and its metadata byte by byte.
        png: a PNG file's metadata byte by byte, before and after its pixels.
        tiff: a TIFF file's tags.
        compressed: whether a TIFF file is.
    """

    pixels: Pixels
    mode: str
    format: str = ""
    orientation: int = 1
    lossless: bool = True
    metadata: Metadata = field(default_factory=Metadata)
    jpeg: tuple[JpegCoding, list[bytes]] | None = None
    png: tuple[list[bytes], list[bytes]] | None = None
    tiff: Tags | None = None
    compressed: bool = True

    @property
    def upright(self) -> Pixels:
        """The pixels as they are to be looked at, `H×W×C`: a view, through which the stored pixels change."""
        transposed, rows, columns = TURNS[self.orientation]
        view = self.pixels.transpose(1, 0, 2) if transposed else self.pixels
        return view[:: -1 if rows else 1, :: -1 if columns else 1]

    def rgb(self) -> NDArray[np.uint8]:
        """The photo upright, as RGB of 8 bits (see `to_rgb`): a copy, `H×W×3`."""
        return to_rgb(self.upright, self.mode)

    def image(self) -> Image.Image:
        """The pixels as they are stored, as a picture of Pillow's (which has grey of 16 bits, no colours)."""
        if self.pixels.dtype == np.uint16:
            if self.mode != "L":
                raise ValueError(f"Pillow has no {self.mode} of 16 bits")
            return Image.fromarray(self.pixels[:, :, 0])
        size = self.pixels.shape[1::-1]
        return Image.frombytes(self.mode, size, np.ascontiguousarray(self.pixels).tobytes())

    def put(self, crop: Crop, face: NDArray[np.uint8], feather: int = 0) -> None:
        """Put a face into the photo; nothing outside its square changes.

        Args:
            crop: where, in the upright photo.
            face: RGB, `S×S×3`.
            feather: see `paste`.
        """
        paste(self.upright, crop, from_rgb(face, self.mode, cut(self.upright, crop)), feather)


def photo_of(image: Image.Image) -> Photo:
    """A picture of Pillow's, of any mode with a known white, as a photo that no file holds.

    Raises:
        UserError: the mode has no known white.

    Example:
        >>> photo_of(Image.new("P", (4, 3))).mode
        'RGB'
    """
    if image.mode.startswith("I;16"):
        return Photo(np.array(image, np.uint16)[:, :, None], "L")
    mode = {
        "1": "L",
        "P": "RGB",
        "PA": "RGBA",
        "La": "LA",
        "RGBa": "RGBA",
        "RGBX": "RGB",
        "YCbCr": "RGB",
    }.get(image.mode, image.mode)
    if mode not in CHANNELS:
        raise UserError(f"its pixels are numbers without a known white (mode {image.mode})")
    if "transparency" in image.info:
        mode = {"L": "LA", "RGB": "RGBA"}.get(mode, mode)
    pixels = np.array(image.convert(mode) if image.mode != mode else image)
    return Photo(pixels.reshape(*pixels.shape[:2], CHANNELS[mode]), mode)
