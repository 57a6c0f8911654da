"""Face restoration as an attack: a network generates the face again."""

import numpy as np
import torch
from torch import Tensor, nn

from sr_deepfake.attacks.alignment import FaceAligner, aligned, put_back
from sr_deepfake.attacks.base import DTYPES, Attack, as_pictures, in_chunks
from sr_deepfake.attacks.fingerprint import weights_digits
from sr_deepfake.super_resolution.interpolation import resized
from sr_deepfake.super_resolution.restoration import SIDE
from sr_deepfake.system.errors import choose
from sr_deepfake.system.hardware import exact_float32

_AT_ONCE = 16  # faces on a GPU; a processor takes one at a time


class RestorationAttack(Attack):
    """Hides what a forgery left in a face behind what a face restoration network makes of it.

    The face is aligned to FFHQ's template at 512 px, as the networks were trained (by the five landmarks that the face
    detector sees in the crop), restored, warped back, clipped and rounded; each picture is rounded to 8 bits as a saved one
    is. A face without landmarks, or all of them with `align=False`, is brought to 512 px as it is (bilinear) and back
    (area-weighted bilinear where that is smaller). Restoration was made to restore blurred and compressed faces; it replaces
    more of a face than super resolution, its identity included. With the identity as the network it is the control.

    Args:
        network: see `restoration_network`.
        precision: what the network computes in: `"float32"` or `"bf16"`, in which RestoreFormer and CodeFormer choose
            other entries of their dictionaries here and there. None of the three bears fp16.
        align: bring eyes, nose and mouth to their places in the template.

    Raises:
        UserError: the precision is not a choice.

    Example:
        >>> network = nn.Identity()
        >>> network.name = "identity"
        >>> attack = RestorationAttack(network, align=False)
        >>> face = torch.full((1, 3, 64, 64), 0.2)
        >>> torch.equal(attack(face), face), attack.name
        (True, 'restoration-identity-unaligned')
    """

    def __init__(self, network: nn.Module, precision: str = "float32", align: bool = True) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.precision = choose(precision, ("float32", "bf16"), "attack.precision")
        self.kind = f"restoration-{network.name}"
        self.aligner = FaceAligner() if align else None
        self._unaligned = 0
        parts = (weights_digits(network), "" if precision == "float32" else precision, "" if align else "unaligned")
        self.variant = "-".join(filter(None, parts))

    @torch.no_grad()
    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1], on the network's device); the same shape, on the grid k/255."""
        return in_chunks(faces, 1 if faces.device.type == "cpu" else _AT_ONCE, self._restore)

    @property
    def unaligned(self) -> int:
        """Faces that were restored without alignment, since no landmarks were seen."""
        return self._unaligned

    def _restore(self, faces: Tensor) -> Tensor:
        height, width = faces.shape[-2:]
        levels = (faces * 255).round()
        pictures = as_pictures(levels)
        warps = [self.aligner.warp(picture) if self.aligner else None for picture in pictures]
        self._unaligned += sum(warp is None for warp in warps) if self.aligner else 0
        kind, dtype = faces.device.type, DTYPES[self.precision]
        with exact_float32(kind):  # whatever the caller is in
            large = resized(levels, SIDE, SIDE).round()
            for place, (picture, warp) in enumerate(zip(pictures, warps, strict=True)):
                if warp is not None:
                    large[place] = torch.from_numpy(aligned(picture, warp)).permute(2, 0, 1)
            with torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                restored = self.network(large / 255).float() * 255
            result = resized(restored, height, width)
        for place, (picture, warp) in enumerate(zip(pictures, warps, strict=True)):
            if warp is not None:
                found = restored[place].clamp(0, 255).round().permute(1, 2, 0).cpu().numpy()
                back = put_back(np.ascontiguousarray(found), picture, warp)
                result[place] = torch.from_numpy(back).permute(2, 0, 1)
        return result.clamp(0, 255).round()
