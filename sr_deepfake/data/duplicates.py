"""Finds pictures that are in two splits: the same pixels, or a copy that was resized or compressed anew."""

from collections.abc import Iterator

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sr_deepfake.data.layout import SPLITS

Prints = NDArray[np.uint8]

SIDE = 64  # px; to which a picture is shrunk
FREQUENCIES = 16  # lowest ones that are kept, along each axis
BITS = FREQUENCIES**2
# Of the sample's 96 people, copies (JPEG of quality 20, a quarter of the size, both, brighter) differ from their
# originals in at most 10 bits, two people's pictures in at least 70.
SIMILAR = 16  # bits; prints that differ in no more are of one picture
BLOCK = 4096  # prints compared at once, on either side

PAIRS = ["kind", "distance", "video_id", "split", "other_video_id", "other_split"]


def picture_print(image: NDArray[np.uint8]) -> str:
    """Perceptual hash of a picture: which of its lowest frequencies are stronger than their median (pHash).

    Args:
        image: uint8 RGB `H×W×3`.

    Returns:
        256 bits as 64 hexadecimal digits. The mean of the picture is not among them.

    >>> image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    >>> twice = image.repeat(2, axis=0).repeat(2, axis=1)
    >>> picture_print(image) == picture_print(twice), picture_print(image) == picture_print(image[::-1])
    (True, False)
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    # What is left of a plain picture is rounding, which must not count as a pattern.
    strength = cv2.dct(small)[:FREQUENCIES, :FREQUENCIES].round(1)
    strength[0, 0] = 0
    return np.packbits(strength > np.median(strength)).tobytes().hex()


def find_leaks(faces: pd.DataFrame, similar: int = SIMILAR) -> pd.DataFrame:
    """Find files that show the same picture and are in two splits.

    Every file of which a picture leaks is in at least one row, with the file of the other split that shows the nearest
    picture; not every pair of many equal files is listed.

    Args:
        faces: one row a face, with `video_id` (of the file), `split`, `sha256` (of the crop's pixels) and `print`
            (`picture_print` of the whole picture).
        similar: prints that differ in no more bits are of one picture.

    Returns:
        One row a pair of files, sorted: `kind` ("identical" crops, or "similar" pictures), `distance` in bits,
        `video_id` and `split` of the one that comes earlier in train, val, test, `other_video_id`, `other_split`.

    >>> faces = pd.DataFrame({"video_id": ["a", "b", "c"], "split": ["train", "test", "test"],
    ...                       "sha256": ["x", "x", "y"], "print": ["00" * 32, "00" * 32, "ff" * 32]})
    >>> find_leaks(faces)[["kind", "video_id", "other_video_id"]].values.tolist()
    [['identical', 'a', 'b']]
    """
    bits = np.unpackbits(
        np.frombuffer(bytes.fromhex("".join(faces["print"])), np.uint8).reshape(-1, BITS // 8), axis=1
    )
    members = {split: np.flatnonzero(faces["split"].to_numpy() == split) for split in SPLITS}
    pixels = faces["sha256"].to_numpy()
    found = []
    for number, split in enumerate(SPLITS):
        for other in SPLITS[number + 1 :]:
            ours, theirs = members[split], members[other]
            for i, j in _equal(pixels[ours], pixels[theirs]):
                found.append(("identical", 0, ours[i], theirs[j]))
            for i, j, distance in _nearest(bits[ours], bits[theirs], similar):
                found.append(("similar", distance, ours[i], theirs[j]))
    pairs = pd.DataFrame(found, columns=["kind", "distance", "ours", "theirs"])
    for column, side in (("", "ours"), ("other_", "theirs")):
        rows = faces.iloc[pairs[side].astype(int)]
        pairs[f"{column}video_id"] = rows["video_id"].to_numpy()
        pairs[f"{column}split"] = rows["split"].to_numpy()
    # Of the frames of two files, the pair that is most alike stands for both.
    pairs = pairs.sort_values(["kind", "distance", "video_id", "other_video_id"], kind="stable")
    return pairs.drop_duplicates(["video_id", "other_video_id"])[PAIRS].reset_index(drop=True)


def _equal(ours: NDArray[np.object_], theirs: NDArray[np.object_]) -> Iterator[tuple[int, int]]:
    """Places of equal values: each of ours with the first of theirs, and the other way round."""
    first_ours = {value: place for place, value in reversed(list(enumerate(ours)))}
    first_theirs = {value: place for place, value in reversed(list(enumerate(theirs)))}
    yield from ((i, first_theirs[value]) for i, value in enumerate(ours) if value in first_theirs)
    yield from ((first_ours[value], j) for j, value in enumerate(theirs) if value in first_ours)


def _nearest(ours: Prints, theirs: Prints, similar: int) -> Iterator[tuple[int, int, int]]:
    """Each of our prints with the nearest of theirs, and the other way round, where they are similar.

    Args:
        ours: `N×BITS` of 0 and 1.
        theirs: `M×BITS`.
        similar: most bits that may differ.

    Yields:
        Place of ours, place of theirs, number of bits that differ.
    """
    columns = _Best(len(theirs))
    for top in range(0, len(ours), BLOCK):
        # With ±1 for the bits, the product of two prints is BITS less twice their distance: exact in float32.
        signs = ours[top : top + BLOCK].astype(np.float32) * 2 - 1
        rows = _Best(len(signs))
        for left in range(0, len(theirs), BLOCK):
            product = signs @ (theirs[left : left + BLOCK].astype(np.float32) * 2 - 1).T
            rows.see(product, 0, left)
            columns.see(product.T, left, top)
        yield from ((top + i, j, distance) for i, j, distance in rows.within(similar))
    yield from ((i, j, distance) for j, i, distance in columns.within(similar))


class _Best:
    """The nearest print of the other side, for each of some prints."""

    def __init__(self, count: int) -> None:
        self.product = np.full(count, -np.inf, np.float32)
        self.place = np.zeros(count, np.int64)

    def see(self, product: NDArray[np.float32], start: int, offset: int) -> None:
        """Take in the products of the prints from `start` on with those of the other side from `offset` on."""
        place = product.argmax(axis=1)
        best = product[np.arange(len(product)), place]
        part = slice(start, start + len(product))
        better = best > self.product[part]
        self.place[part] = np.where(better, place + offset, self.place[part])
        self.product[part] = np.where(better, best, self.product[part])

    def within(self, similar: int) -> Iterator[tuple[int, int, int]]:
        """Those whose nearest print is near enough: own place, the other's, distance."""
        distance = (BITS - self.product) / 2
        for own in np.flatnonzero(distance <= similar):
            yield int(own), int(self.place[own]), int(distance[own])
