"""Faces for the tests of attacks: crops of the photo that comes with scikit-image."""

import numpy as np
import torch
from skimage import data


def photos(count=2, height=48, width=None):
    """uint8 B×H×W×3; neighbouring crops of a portrait."""
    picture = data.astronaut()
    width = width or height
    return np.stack([picture[40 + 5 * i :, 180 + 9 * i :][:height, :width] for i in range(count)])


def as_faces(pictures):
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 255


def as_pictures(faces):
    levels = faces.permute(0, 2, 3, 1).double() * 255
    assert (levels - levels.round()).abs().max() < 1e-4
    return levels.round().to(torch.uint8).numpy()
