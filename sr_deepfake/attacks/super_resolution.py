"""The paper's attack (section 3): scale a face down by 1/K, enlarge it by K with a network."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr_deepfake.attacks.base import DTYPES, Attack, in_chunks
from sr_deepfake.attacks.fingerprint import weights_digits
from sr_deepfake.super_resolution.interpolation import resized
from sr_deepfake.system.errors import UserError, choose
from sr_deepfake.system.hardware import exact_float32, fast_dtype

# Features of EDSR-baseline for one face of 224 px fill a core's cache; a second face makes it overflow.
_CPU_PIXELS = 240 * 240
_GPU_PIXELS = 64 * 240 * 240


class SuperResolutionAttack(Attack):
    """Hides what a forgery left in a face behind what a super-resolution network makes of it.

    The face is scaled down by 1/K (area average, rounded to 8 bits as a saved picture is), enlarged by K,
    clipped and rounded to 8 bits. With `Interpolation` in the network's place it is the control that has no
    network.

    Args:
        sr_model: the network, B×3×h×w in [0, 1] → B×3×sh×sw; its attribute `scale` is s. Its
            attribute `name`, or its class, names the attack.
        scale: K, an integer from 2 on. A network of another s enlarges as often as it takes to reach K; what is
            more than K is scaled down (bicubic). So one network serves every K.
        convention: `"rgb"` gives the network RGB in [0, 1], as it was trained. `"authors_code"` does what the
            published script does: BGR in [0, 255] into a network that multiplies by 255 itself.
        precision: what the network computes in: `"float32"`, `"bf16"`, `"fp16"`, or `"auto"`: bf16 or fp16
            where the device has it natively, else float32 (with `authors_code` always float32).
        max_pixels: the most pixels of faces that go through the network at once (at least one face does):
            memory stays bounded, whatever the faces' sides. None: what the device is fastest with.
        compile: hand the network to `torch.compile` (the first faces of a kind then take a minute longer).

    Raises:
        UserError: a word is not a choice, the scale is below 2, or the precision does not fit the convention.

    Example:
        >>> from sr_deepfake.super_resolution.interpolation import Interpolation
        >>> attack = SuperResolutionAttack(Interpolation(scale=2), scale=2)
        >>> attack(torch.full((4, 3, 24, 24), 0.2)).shape
        torch.Size([4, 3, 24, 24])
        >>> attack.name
        'bicubic-x2'
    """

    def __init__(
        self,
        sr_model: nn.Module,
        scale: int = 2,
        convention: str = "rgb",
        precision: str = "auto",
        max_pixels: int | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(scale, int) or scale < 2:
            raise UserError(
                f"attack.scale must be a whole number of 2 or more (the attack scales down by it), not {scale}"
            )
        own = int(sr_model.scale)  # type: ignore[arg-type]
        if own < 2:
            raise UserError(f"sr_model.scale={own}: a network that enlarges has a scale of 2 or more")
        self.convention = choose(convention, ("rgb", "authors_code"), "attack.convention")
        self.precision = choose(precision, ("auto", *DTYPES), "attack.precision")
        if self.convention == "authors_code" and self.precision in ("bf16", "fp16"):
            # The network's first layer sees up to 65,025: fp16 overflows, bf16 is off by whole grey levels.
            raise UserError(
                f"attack.precision={self.precision} does not go with the convention authors_code; "
                "choose attack.precision=float32"
            )
        self.sr_model = sr_model.requires_grad_(False).eval()
        self.scale = scale
        name = str(getattr(sr_model, "name", type(sr_model).__name__.lower()))
        by = "" if own == scale else f"-by{own}"
        self.network = name + by
        digits = weights_digits(self.sr_model)
        self.kind = f"sr-{name}" if digits else name
        self.strength = f"x{scale}{by}"
        self.passes = next(count for count in range(1, scale + 1) if own**count >= scale)
        parts = [digits, "" if convention == "rgb" else convention, "" if precision == "auto" else precision]
        self.variant = "-".join(part for part in parts if part)
        self._max_pixels = max_pixels
        # The compiled function shares the network's tensors and is no module of its own: names stay as they are.
        self._enlarged = torch.compile(self.sr_model.forward, dynamic=True) if compile else self.sr_model.forward

    @torch.no_grad()
    def forward(self, faces: Tensor) -> Tensor:
        """Attack faces.

        Args:
            faces: float32 tensor of shape B×3×S×S (any height and width will do), RGB in [0, 1], on the
                network's device. They are taken as 8-bit pictures: rounded to the grid k/255.

        Returns:
            New float32 tensor of the same shape, on the grid k/255, without gradient. A face's result depends
            on no other face of the batch. A side that K does not divide comes back at its own size.

        Raises:
            ValueError: the shape, the type or the range is another.
        """
        most = self._max_pixels or (_CPU_PIXELS if faces.device.type == "cpu" else _GPU_PIXELS)
        return in_chunks(faces, max(1, most // max(1, math.prod(faces.shape[-2:]))), self._attack)

    def _attack(self, faces: Tensor) -> Tensor:
        height, width = faces.shape[-2:]
        with exact_float32(faces.device.type):  # whatever the caller is in
            levels = shrink((faces * 255).round(), self.scale)
            rows, columns = (side * self.scale for side in levels.shape[-2:])
            for _ in range(self.passes):
                if self.convention == "authors_code":
                    levels = self._enlarge(levels.flip(1)).flip(1).clamp(0, 255)
                else:
                    levels = (self._enlarge(levels / 255) * 255).clamp(0, 255)
            return resized(levels, rows, columns, "bicubic")[..., :height, :width].clamp(0, 255).round()

    def _enlarge(self, small: Tensor) -> Tensor:
        dtype = DTYPES.get(self.precision, torch.float32)
        if self.precision == "auto" and self.convention == "rgb":
            dtype = fast_dtype(small.device)
        with torch.autocast(small.device.type, dtype=dtype, enabled=dtype != torch.float32):
            large: Tensor = self._enlarged(small.contiguous(memory_format=torch.channels_last))
        return large.float()


def shrink(levels: Tensor, scale: int) -> Tensor:
    """Scale pictures down by 1/K with OpenCV's `INTER_AREA`, to the same 8-bit result."""
    height, width = levels.shape[-2:]
    padded = F.pad(levels, (0, -width % scale, 0, -height % scale), mode="replicate")
    means = F.avg_pool2d(padded, scale)
    # OpenCV halves exact ties upwards where K is 2, and to the even number for other K.
    return (means + 0.5).floor() if scale == 2 else means.round()
