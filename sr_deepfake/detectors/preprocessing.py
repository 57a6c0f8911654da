"""From faces as the project knows them to what a backbone expects."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sr_deepfake.data.images import RESIZES, resize_faces
from sr_deepfake.system.errors import choose


class FaceInput(nn.Module):
    """Resizes faces to a network's input size and puts them into its range.

    >>> face = torch.full((1, 3, 96, 96), 0.75)
    >>> FaceInput(48, mean=[0.5] * 3, std=[0.5] * 3)(face)[0, :, 0, 0]
    tensor([0.4980, 0.4980, 0.4980])
    >>> FaceInput(48, channels="bgr", range=255)(face).max()
    tensor(191.)
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        image_size: int | None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        channels: str = "rgb",
        range: int = 1,
        resize: str = "bilinear",
        crop: float = 1.0,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.crop = crop  # part of the resized face's side that the network gets, its middle
        self.channels = channels
        self.range = range
        self.resize = choose(resize, RESIZES, "protocol.resize")
        self.register_buffer("mean", torch.tensor(list(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(1, 3, 1, 1), persistent=False)

    def forward(self, faces: Tensor, attacked: bool = False) -> Tensor:
        """Prepare faces."""
        size = faces.shape[-1] if self.image_size is None else self.image_size
        whole = round(size / self.crop)
        start = (whole - size) // 2
        resized = resize_faces(faces, whole, self.resize, attacked)[..., start : start + size, start : start + size]
        if self.channels == "bgr":
            resized = resized.flip(1)
        if self.range != 1:
            resized = resized * self.range
        return (resized - self.mean) / self.std
