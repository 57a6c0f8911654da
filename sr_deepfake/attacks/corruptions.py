"""Attacks for comparison: blur, noise, resizing."""

import cv2
import numpy as np

from sr_deepfake.attacks.base import Picture, PictureAttack, number, own_generator, whole_number


class BlurAttack(PictureAttack):
    """Blurs each face with a Gaussian, in float32, cut off at four standard deviations, on the CPU.

    Beyond its border a face is mirrored about its outermost pixels (OpenCV's `BORDER_REFLECT_101`).

    Args:
        sigma: the Gaussian's standard deviation, in pixels of the face; above 0, 100 at most.
        severity: of which the configuration made it; not used.

    Raises:
        UserError: sigma is out of range.

    Example:
        >>> import torch
        >>> face = torch.zeros(1, 3, 9, 9)
        >>> face[..., 4, 4] = 1
        >>> (BlurAttack(sigma=1.0)(face)[0, 0, 4, 2:7] * 255).tolist()  # 255 · exp(-x² / 2) / 2π
        [5.0, 25.0, 41.0, 25.0, 5.0]
    """

    kind = "blur"

    def __init__(self, sigma: float, severity: object = None) -> None:
        super().__init__()
        self.sigma = number(sigma, "attack.sigma", above=0, high=100)
        self.strength = f"s{self.sigma:g}"

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        # On 8-bit pictures OpenCV rounds the kernel to 1/256, which cuts the tails of a wide one: hence float32.
        levels = picture.astype(np.float32)
        side = 2 * int(4 * self.sigma + 0.5) + 1
        return cv2.GaussianBlur(levels, (side, side), self.sigma, borderType=cv2.BORDER_REFLECT_101)


class NoiseAttack(PictureAttack):
    """Adds white Gaussian noise to each pixel and channel, on the CPU.

    The noise is drawn from the seed and the SHA-256 of the face's 8-bit pixels alone. So a face has the same
    noise in every batch, at every place of it and in every run, and two faces have unrelated noise. A stronger
    attack on the same face is the same noise, amplified. (The numbers are those of NumPy's PCG64
    `standard_normal`, which its maintainers may change in a major release.)

    Args:
        std: standard deviation in grey levels (of 255), before clipping; above 0, 255 at most.
        seed: another seed gives other noise; a whole number from 0 on.
        severity: of which the configuration made it; not used.

    Raises:
        UserError: `std` or `seed` is out of range.

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

    def __init__(self, std: float, seed: int = 0, severity: object = None) -> None:
        super().__init__()
        self.std = number(std, "attack.std", above=0, high=255)
        self.seed = whole_number(seed, "attack.seed", 0, 2**63 - 1)
        self.strength = f"{self.std:g}"
        self.variant = f"seed{self.seed}" if self.seed else ""

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        noise = own_generator(picture, f"{self.seed} ").standard_normal(picture.shape)
        noisy: Picture = picture + self.std * noise
        return noisy


class ResizeAttack(PictureAttack):
    """Scales each face down (area average, rounded to 8 bits as a saved picture is) and up to its own size.

    It enlarges bilinearly; `attack=bicubic` is the paper's attack with bicubic interpolation in the network's place.
    It takes any factor, and runs on the CPU, in OpenCV.

    Args:
        factor: how many times smaller a face gets, as 1.5 or 4; above 1, 100 at most. Its sides are rounded to
            whole pixels and stay 1 at least.
        severity: of which the configuration made it; not used.

    Raises:
        UserError: the factor is out of range.

    Example:
        >>> import torch
        >>> face = torch.tensor([0.0, 0.2, 0.4, 0.6]).expand(1, 3, 4, 4)
        >>> (ResizeAttack(factor=2)(face)[0, 0, 0] * 255).tolist()
        [26.0, 52.0, 102.0, 128.0]
    """

    def __init__(self, factor: float, severity: object = None) -> None:
        super().__init__()
        self.factor = number(factor, "attack.factor", above=1, high=100)
        self.kind = "resize"
        self.strength = f"x{self.factor:g}"

    def change(self, picture: Picture) -> Picture:
        """As `PictureAttack.change`."""
        height, width = picture.shape[:2]
        small = scaled_down(picture, self.factor).astype(np.float32)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def scaled_down(picture: Picture, factor: float) -> Picture:
    """A picture scaled down by any factor, each side to whole pixels, 1 at least: the mean of the area of each."""
    height, width = picture.shape[:2]
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
