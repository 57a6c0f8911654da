"""The layers of super-resolution networks that keep float32."""

from torch import Tensor, nn

from sr_deepfake.system.hardware import exact_float32


class InFloat32(nn.Module):
    """A layer that computes in float32 inside `torch.autocast` too.

    bf16 has 8 significant bits, as many as a picture, so a network's last layer has to stay in float32:
    otherwise its rounding shows in the picture.

    Args:
        layer: any module of one tensor argument, with float32 weights.

    Example:
        >>> import torch
        >>> layer = InFloat32(nn.Conv2d(1, 1, 1))
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     layer(torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16)).dtype
        torch.float32
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        """Return what the layer makes of `values`, as float32."""
        with exact_float32(values.device.type):
            result: Tensor = self.layer(values.float())
        return result
