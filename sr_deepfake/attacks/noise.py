"""Gaussian noise: a face's own, wherever and beside whatever it is attacked."""

import hashlib

import numpy as np
from torch import Tensor

from sr_deepfake.attacks.base import Attack
from sr_deepfake.attacks.faces import Picture, attack_pictures
from sr_deepfake.attacks.strength import number, of_severity, whole_number

# DeeperForensics-1.0 (Jiang et al. 2020): variances .001, .002, .005, .01 and .05 of values in [0, 1], there on YCbCr.
SEVERITIES = (8, 11, 18, 26, 57)


class NoiseAttack(Attack):
    """Adds white Gaussian noise to each pixel and channel, on the CPU.

    The noise is drawn from the seed and the SHA-256 of the face's 8-bit pixels alone. So a face has the same
    noise in every batch, at every place of it and in every run, and two faces have unrelated noise. A stronger
    attack on the same face is the same noise, amplified. (The numbers are those of NumPy's PCG64
    `standard_normal`, which its maintainers may change in a major release.)

    Args:
        std: standard deviation in grey levels (of 255), before clipping; above 0, 255 at most.
        seed: another seed gives other noise; a whole number from 0 on.
        severity: 1 to 5, where the standard deviation is not given.

    Raises:
        UserError: `severity`, `std` or `seed` is out of range.

    Example:
        >>> import torch
        >>> faces = torch.full((1, 3, 96, 96), 128 / 255)
        >>> attacked = NoiseAttack(std=8)(faces)
        >>> print(f"{255 * (attacked - faces).std():.1f}")
        8.0
        >>> torch.equal(attacked, NoiseAttack(std=8)(faces))
        True
    """

    kind = "noise"

    def __init__(self, std: float | None = None, seed: int = 0, severity: int = 3) -> None:
        super().__init__()
        self.std = number(
            of_severity(std, severity, SEVERITIES, "attack.std"), "attack.std", above=0, high=255
        )
        self.seed = whole_number(seed, "attack.seed", 0, 2**63 - 1)
        self.strength = f"{self.std:g}"
        self.variant = f"seed{self.seed}" if self.seed else ""

    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1]); returns the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        return attack_pictures(faces, self._add_noise)

    def _add_noise(self, picture: Picture) -> Picture:
        identity = f"{self.seed} {picture.shape}".encode() + picture.tobytes()
        digest = hashlib.sha256(identity).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
        noisy: Picture = picture + self.std * generator.standard_normal(picture.shape)
        return noisy

    def extra_repr(self) -> str:
        """Say the settings in the module's printed form."""
        return f"std={self.std}, seed={self.seed}"
