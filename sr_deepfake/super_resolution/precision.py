"""The layers of super-resolution networks that keep float32."""

from torch import Tensor, nn

from sr_deepfake.system.hardware import exact_float32


class InFloat32(nn.Module):
    """A layer that computes in float32 inside `torch.autocast` too.

    bf16 has 8 significant bits, as many as a picture: in a network's last layer its rounding would show.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        """What the layer makes of `values`, as float32."""
        with exact_float32(values.device.type):
            result: Tensor = self.layer(values.float())
        return result
