"""What every attack asks of its faces, and the 8-bit pictures that they stand for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Picture = npt.NDArray[Any]


def check_faces(faces: Tensor) -> None:
    """Refuse what is no batch of faces: float32, B×3×H×W, in [0, 1]; B may be 0.

    Raises:
        ValueError: the shape, the type or the range is another; the message names it.

    Example:
        >>> check_faces(torch.rand(2, 3, 24, 24))
        >>> check_faces(torch.full((2, 3, 24, 24), 255.0))
        Traceback (most recent call last):
        ValueError: faces lie in [0, 1], these in [255, 255]
    """
    if faces.ndim != 4 or faces.shape[1] != 3 or 0 in faces.shape[2:]:
        raise ValueError(f"faces have the shape B×3×S×S, not {'×'.join(map(str, faces.shape))}")
    if faces.dtype != torch.float32:
        raise ValueError(f"faces are float32 in [0, 1], not {faces.dtype}")
    if faces.numel():
        low, high = (float(value) for value in faces.detach().aminmax())
        if not (low >= 0 and high <= 1):
            raise ValueError(f"faces lie in [0, 1], these in [{low:g}, {high:g}]")


def attack_pictures(faces: Tensor, attack: Callable[[Picture], Picture]) -> Tensor:
    """Attack faces one by one, as the 8-bit pictures that they are on disk.

    Args:
        faces: float32 tensor of shape B×3×H×W, RGB in [0, 1], on any device; B may be 0. They are rounded to
            the grid k/255 first.
        attack: gets a face as uint8 RGB, H×W×3, contiguous; returns it attacked in grey levels, of the same
            shape and any type. They are rounded and clipped to [0, 255].

    Returns:
        New float32 tensor of the same shape on the same device, on the grid k/255, without gradient.

    Raises:
        ValueError: `faces` is no batch of faces.

    Example:
        >>> attack_pictures(torch.full((1, 3, 1, 1), 0.2), lambda picture: picture + 0.6)
        tensor([[[[0.2039]], [[0.2039]], [[0.2039]]]])
    """
    check_faces(faces)
    levels = (faces.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    pictures = np.array(levels.cpu().numpy(), order="C")
    attacked = np.empty_like(pictures)
    for picture, result in zip(pictures, attacked, strict=True):
        result[:] = np.rint(attack(picture)).clip(0, 255)
    # The division is done here: a GPU multiplies by 1/255, which is not always on the grid to the last bit.
    return (torch.from_numpy(attacked).permute(0, 3, 1, 2).contiguous().float() / 255).to(faces.device)
