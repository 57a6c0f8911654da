"""Attacks the faces of a photo; every pixel outside their squares stays what it was."""

from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from sr_deepfake.data.extraction.face_detection import FaceDetector
from sr_deepfake.media.faces import AttackFaces, FaceFinder, Find, FoundFaces, Picture, attack_crops, cut
from sr_deepfake.media.photo import Photo, photo_of

AnyImage = TypeVar("AnyImage", Image.Image, NDArray[np.uint8])


def attack_photo(
    photo: Photo, finder: Find, attack_faces: AttackFaces, feather: int = 0
) -> tuple[FoundFaces, list[Picture], list[Picture]]:
    """Attack the faces of a photo, in place; their squares, and each as RGB `S×S×3` before and after."""
    picture = photo.rgb()
    (found,) = finder([picture])
    before = [cut(picture, crop) for crop in found.crops]
    after = attack_faces(before)
    for crop, face in zip(found.crops, after, strict=True):
        photo.put(crop, face, feather)
    return found, before, after


def attack_image(
    image: AnyImage,
    attack: nn.Module,
    finder: FaceFinder | None = None,
    feather: int = 0,
    device: torch.device | str = "cpu",
) -> AnyImage:
    """Attack the faces of an image: find them, attack their squares, put these back at the same positions.

    Args:
        image: uint8 RGB `H×W×3`, or a picture of Pillow's: 8-bit grey, RGB, with alpha or a palette.
        attack: any attack, such as `SuperResolutionAttack`, on `device`.
        finder: finds the faces; None: MTCNN with the thresholds 0.8, each face with a margin of 10 % (as
            `python -m sr_deepfake.prepare`).
        feather: px over which a face's border blends in; 0 puts it as it is, as the paper does.
        device: where the attack is.

    Returns:
        A new image of the same size and mode (of a palette's: RGB or RGBA), upright, the same outside the faces' squares.

    Raises:
        UserError: the picture is of another mode.
        ValueError: an array is no uint8 RGB image.

    Example:
        >>> from sr_deepfake.attacks import SuperResolutionAttack
        >>> from sr_deepfake.data.sample.people import read_identity
        >>> from sr_deepfake.super_resolution.interpolation import Interpolation
        >>> person = read_identity("030")[0]
        >>> attacked = attack_image(person, SuperResolutionAttack(Interpolation(scale=2)))
        >>> attacked.shape, np.array_equal(attacked[0], person[0]), np.array_equal(attacked, person)
        ((240, 240, 3), True, False)
    """
    if isinstance(image, Image.Image):
        photo = photo_of(image)
    elif image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image is a uint8 array H×W×3, not {image.dtype} {image.shape}")
    else:
        photo = Photo(image.copy())
    attack_photo(photo, finder or FaceFinder(FaceDetector()), partial(attack_crops, attack, device=device), feather)
    return photo.image() if isinstance(image, Image.Image) else photo.pixels
