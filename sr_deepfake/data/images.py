"""Face crops as tensors: reading them and bringing them to a detector's input size."""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sr_deepfake.system.errors import UserError

RESIZES = ("bilinear", "bicubic", "authors")


def read_face(path: Path) -> Tensor:
    """Read a face crop."""
    try:
        encoded = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise UserError(
            f"the face crop {path} cannot be read ({error.strerror}); "
            "`python -m sr_deepfake.prepare` with your data options makes what is missing"
        ) from error
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    if picture is None:
        raise UserError(
            f"the face crop {path} is damaged; delete it: `python -m sr_deepfake.prepare` with your data options makes it again"
        )
    return torch.from_numpy(np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1)))


def resize_faces(faces: Tensor, size: int, resize: str = "bilinear", attacked: bool = False) -> Tensor:
    """Resize faces to a detector's input size, and round them to 8 bits, as a picture on disk is."""
    if faces.shape[-2:] == (size, size):
        return faces
    if resize != "authors":
        resized = F.interpolate(faces, size=(size, size), mode=resize, antialias=True, align_corners=False)
        exact = resized * 255
        rounded = exact.round().clamp(0, 255)
        if exact.requires_grad:  # for attacks that follow gradients, of which rounding has none
            rounded = exact + (rounded - exact).detach()
        return rounded / 255
    enlarged = attacked and faces.shape[-1] < size
    interpolation = cv2.INTER_CUBIC if enlarged else cv2.INTER_AREA
    levels = (faces.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    pictures = [cv2.resize(np.ascontiguousarray(face), (size, size), interpolation=interpolation) for face in levels]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous().to(faces.device).float() / 255
