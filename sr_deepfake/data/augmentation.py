"""The augmentation of the training faces, as the paper's published code lists it (JPEG, noise, flip, grey, affine).

Ranges are albumentations', which the published code uses. What happens to a face is drawn where it is loaded, from the
seed, the epoch and the face alone. It is done there, or to whole batches on the device, where a machine's few cores are
the bottleneck; only JPEG, a codec and rare, stays there.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as transforms

from sr_deepfake.system.errors import UserError, choose

JPEG_QUALITY = (60, 100)
NOISE_VARIANCE = (10.0, 50.0)  # grey levels squared, uniform, as albumentations' GaussNoise draws it
SHIFT, SCALE, ROTATION = 0.1, 0.2, 5.0  # fractions of the side, and degrees
OPERATIONS = ("jpeg", "noise", "flip", "grey", "affine")
BORDERS = {"mirror": "reflect", "black": "constant"}
GREY = (0.299, 0.587, 0.114)  # of red, green and blue, as in OpenCV

# The numbers that are drawn for a face, and those of a face that stays as it is.
_NOISE, _SEED, _FLIP, _GREY, _ANGLE, _ZOOM, _RIGHT, _DOWN = range(8)
UNCHANGED = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_STREAM = 2  # sets these random numbers apart from those of the defence
_SEEDS = 2**24  # whole numbers that float32 has


class Augmentation:
    """Random changes of faces; each operation happens with its own probability."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for name, probability in settings.items():
            if name in ("border", "grey_order"):
                continue
            if name not in OPERATIONS:
                raise UserError(f"protocol.augmentation.{name}: unknown; known are {', '.join(OPERATIONS)}")
            if not isinstance(probability, int | float) or not 0 <= probability <= 1:
                raise UserError(f"protocol.augmentation.{name}={probability}: a probability lies in [0, 1]")
        self.probabilities = {name: float(settings.get(name, 0.0)) for name in OPERATIONS}
        self.border = choose(settings.get("border", "mirror"), tuple(BORDERS), "protocol.augmentation.border")
        order = choose(settings.get("grey_order", "rgb"), ("rgb", "bgr"), "protocol.augmentation.grey_order")
        self.grey = GREY if order == "rgb" else GREY[::-1]

    @property
    def settings(self) -> dict[str, Any]:
        """All that it depends on, as plain values."""
        return {**self.probabilities, "border": self.border, "grey": list(self.grey)}

    def draw(self, face: Tensor, *, seed: int, epoch: int, index: int) -> tuple[Tensor, Tensor]:
        """Draw the operations for a face, and compress it as JPEG if they say so."""
        rng = np.random.default_rng([seed, epoch, index, _STREAM])
        wanted = {name: rng.random() < probability for name, probability in self.probabilities.items()}
        if wanted["jpeg"]:
            quality = int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
            face = transforms.jpeg(face.contiguous(), quality=quality)
        drawn = torch.tensor(UNCHANGED)
        if wanted["noise"]:
            drawn[_NOISE], drawn[_SEED] = rng.uniform(*NOISE_VARIANCE) ** 0.5, float(rng.integers(_SEEDS))
        drawn[_FLIP], drawn[_GREY] = float(wanted["flip"]), float(wanted["grey"])
        if wanted["affine"]:
            side = face.shape[-1]
            drawn[_ANGLE] = rng.uniform(-ROTATION, ROTATION)
            drawn[_ZOOM] = rng.uniform(1 - SCALE, 1 + SCALE)
            drawn[_RIGHT], drawn[_DOWN] = (rng.uniform(-SHIFT, SHIFT) * side for _ in range(2))
        return face, drawn

    def __call__(self, faces: Tensor, drawn: Tensor) -> Tensor:
        """Change the faces of a batch; what becomes of a face does not depend on the others."""
        levels = faces.to(torch.float32, copy=True)
        generator = torch.Generator(faces.device)
        for face, (std, seed) in zip(levels, drawn[:, [_NOISE, _SEED]].tolist(), strict=True):
            if std > 0:
                noise = torch.empty_like(face).normal_(generator=generator.manual_seed(int(seed)))
                face.add_(noise, alpha=std).round_().clamp_(0, 255)
        flipped, grey, moved = drawn[:, _FLIP] > 0, drawn[:, _GREY] > 0, drawn[:, _ZOOM] != 1
        drawn = drawn.to(faces.device, non_blocking=True)
        per_face = drawn[:, :, None, None]
        if flipped.any():
            levels = torch.where(per_face[:, _FLIP, None] > 0, levels.flip(-1), levels)
        if grey.any():
            weights = torch.tensor(self.grey, device=levels.device).view(1, 3, 1, 1)
            greys = (levels * weights).sum(1, keepdim=True).round_()
            levels = torch.where(per_face[:, _GREY, None] > 0, greys, levels)
        if moved.any():
            shifts = drawn[:, [_RIGHT, _DOWN]]
            levels = move(levels, drawn[:, _ANGLE], drawn[:, _ZOOM], shifts, self.border).round_()
        return levels / 255


def move(faces: Tensor, angles: Tensor, zooms: Tensor, shifts: Tensor, border: str = "mirror") -> Tensor:
    """Rotate, scale and shift each face about its centre."""
    side = faces.shape[-1]
    margin = side // 3  # wide enough for the largest shift, shrinking and rotation together
    whole = F.pad(faces, [margin] * 4, mode=BORDERS[border])
    centre = (side - 1) / 2
    offsets = torch.arange(side, device=faces.device, dtype=torch.float32) - centre
    down, right = torch.meshgrid(offsets, offsets, indexing="ij")
    # Where each pixel comes from: the shift, the rotation and the scale undone, in this order.
    x = right[None] - shifts[:, 0, None, None]
    y = down[None] - shifts[:, 1, None, None]
    radians = torch.deg2rad(angles)[:, None, None]
    cos, sin = radians.cos(), radians.sin()
    back_x = (cos * x + sin * y) / zooms[:, None, None]
    back_y = (-sin * x + cos * y) / zooms[:, None, None]
    half = whole.shape[-1] / 2
    grid = torch.stack([back_x, back_y], dim=-1) / half
    moved = F.grid_sample(whole, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    still = (angles == 0) & (zooms == 1) & (shifts == 0).all(dim=1)
    return torch.where(still[:, None, None, None], faces, moved)
