"""Pictures of any size for networks that ask for particular ones."""

import torch
from torch import Tensor, nn


class Padded(nn.Module):
    """A network that asks for particular sides, made to take any.

    The picture is continued at the right and the bottom by its mirror image, as SwinIR's own test program
    does; what the network makes of that is cut off.

    Args:
        network: B×3×h×w → B×3×Kh×Kw for sides that suit it.
        scale: K.
        multiple: what it asks the sides to be a multiple of, in pixels.
        minimum: the smallest side that it takes, in pixels.
        square: whether it takes squares only.

    Example:
        >>> from sr_deepfake.super_resolution.interpolation import Interpolation
        >>> Padded(Interpolation(scale=2), scale=2, multiple=8)(torch.rand(1, 3, 5, 9)).shape
        torch.Size([1, 3, 10, 18])
    """

    def __init__(
        self, network: nn.Module, scale: int, multiple: int = 1, minimum: int = 1, square: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.name = getattr(network, "name", type(network).__name__.lower())
        self.scale = scale
        self.multiple = multiple
        self.minimum = minimum
        self.square = square

    def forward(self, images: Tensor) -> Tensor:
        """Enlarge.

        Args:
            images: float tensor of shape B×3×h×w, in [0, 1].

        Returns:
            B×3×Kh×Kw.
        """
        height, width = images.shape[-2:]
        padded_height, padded_width = (self._suitable(side) for side in (height, width))
        if self.square:
            padded_height = padded_width = max(padded_height, padded_width)
        images = _continued(_continued(images, padded_height, dim=2), padded_width, dim=3)
        result: Tensor = self.network(images)
        return result[..., : height * self.scale, : width * self.scale]

    def _suitable(self, side: int) -> int:
        side = max(side, self.minimum)
        return side + -side % self.multiple


def _continued(images: Tensor, length: int, dim: int) -> Tensor:
    """Continue pictures along a dimension by their mirror image, and that by its own, up to `length`."""
    given = images.shape[dim]
    if length == given:
        return images
    index = torch.arange(length, device=images.device) % (2 * given)
    return images.index_select(dim, torch.minimum(index, 2 * given - 1 - index))
