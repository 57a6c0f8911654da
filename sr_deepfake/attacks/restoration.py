"""Face restoration as an attack: a network generates the face again."""

import torch
from torch import Tensor, nn

from sr_deepfake.attacks.base import DTYPES, Attack, check_faces
from sr_deepfake.attacks.fingerprint import weights_digits
from sr_deepfake.super_resolution.interpolation import resized
from sr_deepfake.super_resolution.restoration import SIDE
from sr_deepfake.system.errors import choose
from sr_deepfake.system.hardware import exact_float32

_AT_ONCE = 16  # faces on a GPU; a processor takes one at a time


class RestorationAttack(Attack):
    """Hides what a forgery left in a face behind what a face restoration network makes of it.

    The face is brought to 512 px (bilinear, rounded to 8 bits as a saved picture is), restored, brought back to its own
    side (area-weighted bilinear where that is smaller), clipped and rounded. Restoration was made to restore blurred and
    compressed faces; it replaces more of a face than super resolution, its identity included.

    Args:
        network: see `restoration_network`.
        precision: what the network computes in: `"float32"` or `"bf16"`, in which RestoreFormer and CodeFormer choose
            other entries of their dictionaries here and there. None of the three bears fp16.

    Raises:
        UserError: the precision is not a choice.

    Example:
        >>> network = nn.Identity()
        >>> network.name = "identity"
        >>> attack = RestorationAttack(network)
        >>> face = torch.full((1, 3, 64, 64), 0.2)
        >>> torch.equal(attack(face), face), attack.name
        (True, 'restoration-identity')
    """

    def __init__(self, network: nn.Module, precision: str = "float32") -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.precision = choose(precision, ("float32", "bf16"), "attack.precision")
        self.kind = f"restoration-{network.name}"
        parts = [weights_digits(self.network), "" if precision == "float32" else precision]
        self.variant = "-".join(part for part in parts if part)

    @torch.no_grad()
    def forward(self, faces: Tensor) -> Tensor:
        """Attack `faces` (float32, B×3×S×S in [0, 1], on the network's device); the same shape, on the grid k/255.

        Raises:
            ValueError: `faces` has another shape, type or range.
        """
        check_faces(faces)
        if len(faces) == 0:
            return faces.clone()
        attacked = torch.cat(
            [self._restore(chunk) for chunk in faces.split(1 if faces.device.type == "cpu" else _AT_ONCE)]
        )
        # A true division: by a number, a GPU multiplies with 1/255, which is not always on the grid to the last bit.
        return (attacked / attacked.new_tensor(255.0)).contiguous()

    def _restore(self, faces: Tensor) -> Tensor:
        height, width = faces.shape[-2:]
        kind, dtype = faces.device.type, DTYPES[self.precision]
        with exact_float32(kind):  # whatever the caller is in
            large = resized((faces * 255).round(), SIDE, SIDE).round() / 255
            with torch.autocast(kind, dtype=dtype, enabled=dtype != torch.float32):
                restored = self.network(large).float()
            return resized(restored * 255, height, width).clamp(0, 255).round()

    def extra_repr(self) -> str:
        """Say the settings in the module's printed form."""
        return f"precision={self.precision!r}"
