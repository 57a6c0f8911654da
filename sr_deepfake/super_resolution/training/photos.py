"""Photos → pairs of small and large patches to train a super-resolution network on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from sr_deepfake.system.errors import SourceError, UserError
from sr_deepfake.system.photos import PHOTO_SUFFIXES, open_photo

Picture = npt.NDArray[np.uint8]


def find_photos(wish: str | Path | Sequence[str | Path], option: str) -> list[list[Path]]:
    """List the photos below each folder, sorted.

    Args:
        wish: a folder, or several.
        option: what they were given with, for messages.

    Returns:
        The photos, folder by folder.

    Raises:
        UserError: no folder is given, or one is missing or has no photo in it.

    Example:
        >>> find_photos([], "photos")
        Traceback (most recent call last):
        sr_deepfake.system.errors.UserError: no folder is given; name one with photos=DIR, ...
    """
    folders = [Path(wish)] if isinstance(wish, str | Path) else [Path(folder) for folder in wish]
    if not folders:
        raise UserError(f"no folder is given; name one with {option}=DIR, or several with {option}=[DIR,DIR]")
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{option}: there is no folder {folder}")
        photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
        if not photos:
            raise UserError(
                f"{option}: no photo ({', '.join(sorted(PHOTO_SUFFIXES))}) is in the folder {folder}"
            )
        found.append(photos)
    return found


def read_photo(path: Path, max_side: int | None = None) -> Picture:
    """Read a photo upright, as H×W×3 RGB of 8 bits, its longer side at most `max_side` px (None: as it is).

    Raises:
        UserError: the file is not a picture that can be read.
    """
    try:
        photo = ImageOps.exif_transpose(open_photo(path)).convert("RGB")
    except SourceError as error:
        raise UserError(f"the photo {path} cannot be used ({error}); take it out of its folder") from None
    if max_side is not None and max(photo.size) > max_side:
        photo = _resized(photo, max_side / max(photo.size))
    return np.asarray(photo)


def low_resolution(picture: Picture, scale: int) -> Picture:
    """Scale down by 1/K as EDSR's training data was: bicubic (a = -0.5), antialiased, rounded to 8 bits.

    Args:
        picture: H×W×3, both sides multiples of K.
        scale: K.

    Returns:
        H/K×W/K×3.

    Example:
        >>> low_resolution(np.full((8, 12, 3), 7, np.uint8), 2).shape
        (4, 6, 3)
    """
    height, width = picture.shape[:2]
    small = Image.fromarray(picture).resize((width // scale, height // scale), Image.Resampling.BICUBIC)
    return np.asarray(small)


def bicubic_enlarged(picture: Picture, scale: int) -> Picture:
    """Enlarge K times, bicubic: what a network's picture is compared with."""
    height, width = picture.shape[:2]
    return np.asarray(
        Image.fromarray(picture).resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    )


def centre_crop(picture: Picture, side: int, scale: int) -> Picture:
    """The middle of a picture, at most `side` px a side, both sides multiples of K."""
    height, width = (min(length, side) // scale * scale for length in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


@dataclass(frozen=True)
class PatchSettings:
    """Settings for cutting patches.

    Attributes:
        scale: K.
        patch: side of a low-resolution patch, px.
        max_side: px; larger photos are scaled down to it first. What a camera writes is soft at its own size.
        sizes: each photo is taken at these fractions of its size, one as often as the other.
        detail: of so many random places, the patch with the most detail is taken: much of many photos is plain.
        memory: GiB of decoded photos that are kept, by all loading processes together; beyond it they are read anew for
            each patch.
    """

    scale: int = 2
    patch: int = 48
    max_side: int = 1600
    sizes: tuple[float, ...] = (1.0, 0.5)
    detail: int = 2
    memory: float = 4.0


class Patches(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of patches; each folder of photos gives the same share.

    An item's key is a whole number: what the patch is depends on the seed and the key alone, so an
    interruption and the number of workers change nothing.

    Args:
        photos: the photos, folder by folder (`find_photos`).
        settings: how patches are cut.
        seed: of the choice.
    """

    def __init__(self, photos: Sequence[Sequence[Path]], settings: PatchSettings, seed: int = 0) -> None:
        self.photos = photos
        self.settings = settings
        self.seed = seed
        self._kept: dict[tuple[Path, float], tuple[Picture, Picture]] = {}
        self._bytes = 0

    def __getitem__(self, key: int) -> tuple[Tensor, Tensor]:
        """Return a low-resolution patch (uint8 3×P×P) and what it shows (uint8 3×KP×KP), RGB."""
        random = np.random.default_rng([self.seed, key])
        folder = self.photos[int(random.integers(len(self.photos)))]
        path = folder[int(random.integers(len(folder)))]
        size = self.settings.sizes[int(random.integers(len(self.settings.sizes)))]
        small, large = self._pair(path, size)
        side, scale = self.settings.patch, self.settings.scale
        places = [
            (int(random.integers(small.shape[0] - side + 1)), int(random.integers(small.shape[1] - side + 1)))
            for _ in range(self.settings.detail)
        ]
        top, left = max(places, key=lambda at: _detail(small[at[0] : at[0] + side, at[1] : at[1] + side]))
        first = small[top : top + side, left : left + side]
        second = large[top * scale : (top + side) * scale, left * scale : (left + side) * scale]
        # The eight orientations of a square, EDSR's augmentation.
        turns, mirrored = int(random.integers(4)), bool(random.integers(2))
        return _oriented(first, turns, mirrored), _oriented(second, turns, mirrored)

    def _pair(self, path: Path, size: float) -> tuple[Picture, Picture]:
        if (path, size) in self._kept:
            return self._kept[path, size]
        scale, side = self.settings.scale, self.settings.patch
        photo = read_photo(path, self.settings.max_side)
        if size != 1 and min(photo.shape[:2]) * size >= side * scale:
            photo = np.asarray(_resized(Image.fromarray(photo), size))
        if min(photo.shape[:2]) < side * scale:
            raise UserError(
                f"the photo {path} is {photo.shape[1]}×{photo.shape[0]} px; patches of {side} px enlarged {scale} "
                f"times need {side * scale} px a side. Take it out, or choose smaller patches with patches.patch"
            )
        height, width = (length // scale * scale for length in photo.shape[:2])
        large = np.ascontiguousarray(photo[:height, :width])
        pair = low_resolution(large, scale), large
        taken = pair[0].nbytes + pair[1].nbytes
        worker = get_worker_info()
        share = 1 if worker is None else worker.num_workers
        if self._bytes + taken <= self.settings.memory * 2**30 / share:
            self._kept[path, size] = pair
            self._bytes += taken
        return pair


class ValidationPhotos(Dataset[dict[str, Any]]):
    """The middle of each photo, its low-resolution version, and that enlarged without a network.

    Args:
        photos: files.
        scale: K.
        side: px, of the middle that is taken.
        max_side: px; larger photos are scaled down to it first.
    """

    def __init__(
        self, photos: Sequence[Path], scale: int, side: int = 256, max_side: int | None = None
    ) -> None:
        self.photos = photos
        self.scale = scale
        self.side = side
        self.max_side = max_side

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return `name`, and `small`, `large`, `bicubic` as uint8 tensors 3×h×w, 3×Kh×Kw, 3×Kh×Kw."""
        large = centre_crop(read_photo(self.photos[index], self.max_side), self.side, self.scale)
        if 0 in large.shape:
            raise UserError(f"the photo {self.photos[index]} is too small to validate with")
        small = low_resolution(large, self.scale)
        pictures = {"small": small, "large": large, "bicubic": bicubic_enlarged(small, self.scale)}
        return {"name": self.photos[index].name} | {
            name: _as_tensor(picture) for name, picture in pictures.items()
        }


def _resized(photo: Image.Image, factor: float) -> Image.Image:
    size = (max(1, round(photo.width * factor)), max(1, round(photo.height * factor)))
    return photo.resize(size, Image.Resampling.LANCZOS)


def _detail(patch: Picture) -> float:
    green = patch[:, :, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=0)).mean() + np.abs(np.diff(green, axis=1)).mean())


def _oriented(patch: Picture, turns: int, mirrored: bool) -> Tensor:
    turned = np.rot90(patch, turns)
    return _as_tensor(turned[:, ::-1] if mirrored else turned)


def _as_tensor(picture: Picture) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
