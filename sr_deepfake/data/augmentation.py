"""The augmentation of the training faces, as the paper's published code lists it (JPEG, noise, flip, grey, affine)."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

JPEG_QUALITY = (60, 100)
NOISE_STD = (10**0.5, 50**0.5)  # grey levels; a variance of 10 to 50
SHIFT, SCALE, ROTATION = 0.1, 0.2, 5.0  # fractions of the side, and degrees
OPERATIONS = ("jpeg", "noise", "flip", "grey", "affine")


class Augmentation:
    """Random changes of one face; each operation happens with its own probability.

    Args:
        probabilities: of `jpeg` (quality 60–100), `noise` (Gaussian, 3–7 grey levels), `flip` (left–right), `grey`,
            and `affine` (shift by up to 10 % of the side, scale by up to 20 %, rotation by up to 5°; what comes in
            from outside is mirrored). An operation that is left out does not happen.

    Raises:
        ValueError: an unknown operation, or a probability outside [0, 1].

    Example:
        >>> face = torch.arange(48, dtype=torch.uint8).expand(3, 48, 48)
        >>> flipped = Augmentation({"flip": 1.0})(face, np.random.default_rng(0))
        >>> flipped[0, 0, 0].item()
        47
    """

    def __init__(self, probabilities: Mapping[str, float]) -> None:
        unknown = set(probabilities) - set(OPERATIONS)
        if unknown:
            raise ValueError(f"unknown augmentation {sorted(unknown)}; known are {', '.join(OPERATIONS)}")
        if any(not 0 <= p <= 1 for p in probabilities.values()):
            raise ValueError(f"augmentation probabilities lie in [0, 1], got {dict(probabilities)}")
        self.probabilities = {name: float(probabilities.get(name, 0.0)) for name in OPERATIONS}

    def __call__(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        """Change one face.

        Args:
            face: uint8 tensor of shape 3×S×S, RGB.
            rng: where all randomness comes from; the same state gives the same result.

        Returns:
            uint8 tensor of shape 3×S×S.
        """
        for name in OPERATIONS:
            if rng.random() < self.probabilities[name]:
                face = getattr(self, f"_{name}")(face, rng)
        return face

    def _jpeg(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        return F.jpeg(face.contiguous(), quality=int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1)))

    def _noise(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        noise = rng.standard_normal(face.shape, dtype=np.float32) * np.float32(rng.uniform(*NOISE_STD))
        return (face + torch.from_numpy(noise)).round_().clamp_(0, 255).to(torch.uint8)

    def _flip(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        return F.horizontal_flip(face)

    def _grey(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        return F.rgb_to_grayscale(face, num_output_channels=3)

    def _affine(self, face: Tensor, rng: np.random.Generator) -> Tensor:
        side = face.shape[-1]
        shift = [round(float(rng.uniform(-SHIFT, SHIFT)) * side) for _ in range(2)]
        # Mirrored margins wide enough for the largest shift, shrinking and rotation together.
        padded = F.pad(face, [side // 3] * 4, padding_mode="reflect")
        moved = F.affine(
            padded,
            angle=float(rng.uniform(-ROTATION, ROTATION)),
            translate=shift,
            scale=float(rng.uniform(1 - SCALE, 1 + SCALE)),
            shear=[0.0, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        return F.center_crop(moved, [side, side])
