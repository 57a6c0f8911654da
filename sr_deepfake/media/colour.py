"""Pixels of every kind as RGB of 8 bits, which is what attacks know, and attacked faces as pixels of that kind."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}  # Pillow's names

Pixels = NDArray[np.unsignedinteger[Any]]  # uint8 or uint16


def to_rgb(pixels: Pixels, mode: str) -> NDArray[np.uint8]:
    """Pixels as RGB of 8 bits: of 16 bits the upper 8, grey three times, without alpha, CMYK as Pillow converts it.

    Args:
        pixels: `H×W×C`, uint8 or uint16.
        mode: one of `CHANNELS`.

    Returns:
        New array `H×W×3`.

    Example:
        >>> to_rgb(np.array([[[0x1234, 0xFFFF]]], np.uint16), "LA")
        array([[[18, 18, 18]]], dtype=uint8)
        >>> to_rgb(np.array([[[0, 255, 0, 51]]], np.uint8), "CMYK")
        array([[[204,   0, 204]]], dtype=uint8)
    """
    levels = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
    if mode == "CMYK":
        white = 255 - levels[:, :, 3:].astype(np.int32)
        return (white - _share(levels[:, :, :3] * white)).clip(0, 255).astype(np.uint8)
    if mode in ("L", "LA"):
        return np.repeat(levels[:, :, :1], 3, axis=2).astype(np.uint8)
    return np.array(levels[:, :, :3], np.uint8, order="C")


def from_rgb(face: NDArray[np.uint8], mode: str, before: Pixels) -> Pixels:
    """A face as pixels of another kind: `to_rgb` gives the same face again (of grey ones, its luma).

    Args:
        face: RGB, `S×S×3`.
        mode: one of `CHANNELS`.
        before: `S×S×C`, what the face takes the place of. Its alpha is kept, and as much of its black ink (CMYK) as
            the face is dark enough for, so that its inks stay like those around it.

    Returns:
        New array of the shape and type of `before`. Eight bits become 16 as k·257: black stays 0, white 65535.

    Example:
        >>> face = np.array([[[204, 0, 204]]], np.uint8)
        >>> from_rgb(face, "CMYK", np.array([[[9, 9, 9, 51]]], np.uint8))
        array([[[  0, 255,   0,  51]]], dtype=uint8)
        >>> from_rgb(face, "LA", np.array([[[0, 70]]], np.uint8))  # ITU-R BT.601
        array([[[84, 70]]], dtype=uint8)
    """
    levels = face.astype(np.int32)
    if mode in ("L", "LA"):
        # Whole numbers that add up to 2^16, as Pillow has them: grey stays exactly what it is.
        luma = (levels @ np.array([19595, 38470, 7471]) + 2**15) >> 16
        colours = luma[:, :, None]
    elif mode == "CMYK":
        black = np.minimum(_levels(before[:, :, 3:]), 255 - levels.max(axis=2, keepdims=True))
        white = 255 - black
        # Exact: a step of ink is at most a step of RGB. Where all is black, no ink of another colour is needed.
        inks = np.rint(255 * (white - levels) / np.maximum(white, 1)).astype(np.int32)
        colours = np.concatenate([inks, black], axis=2)
    else:
        colours = levels
    result = before.copy()
    scale = 257 if before.dtype == np.uint16 else 1
    result[:, :, : colours.shape[2]] = colours * scale
    return result


def _levels(values: Pixels) -> NDArray[np.int32]:
    return (values >> 8 if values.dtype == np.uint16 else values).astype(np.int32)


def _share(product: NDArray[np.int32]) -> NDArray[np.int32]:
    """A product of two 8-bit numbers, over 255 and rounded, in Pillow's arithmetic."""
    padded = product + 128
    result: NDArray[np.int32] = ((padded >> 8) + padded) >> 8
    return result
