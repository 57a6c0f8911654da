"""Faces as face restoration expects them: eyes, nose and mouth where FFHQ's template has them at 512 px."""

import warnings

import cv2
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet
from numpy.typing import NDArray
from torch import nn

from sr_deepfake.attacks.base import Picture
from sr_deepfake.super_resolution.restoration import SIDE
from sr_deepfake.system.hardware import exact_float32

# Eyes, tip of the nose, corners of the mouth (x, y), of FFHQ's faces.
_EYES = (192.98138, 239.94708), (318.90277, 240.1936)
_MOUTH = (201.26117, 371.41043), (313.08905, 371.15118)
TEMPLATE = np.array([*_EYES, (256.63416, 314.01935), *_MOUTH])
_MARGINS = (0.1, 0.0, 0.25)  # about the face's box, as a part of the box, that a crop may have
_SURE = 0.8  # probability of a face, from which its landmarks are believed
_INPUT = 48  # px, of the network
_EDGE = 2  # px

Warp = NDArray[np.float64]  # 2×3


class FaceAligner(nn.Module):
    """Finds the five landmarks of a face crop: the last network of the face detector, MTCNN, on the crop's middle."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch.load without weights_only, of a file of the package
            self.network = ONet().eval().requires_grad_(False)

    @torch.no_grad()
    def landmarks(self, face: Picture) -> NDArray[np.float64] | None:
        """The landmarks (5×2, px: x, y) of a face crop, uint8 RGB S×S×3; None where no face is seen in it."""
        boxes, views = [], []
        for margin in _MARGINS:
            kept = face.shape[0] / (1 + 2 * margin)
            start, side = round((face.shape[0] - kept) / 2), round(kept)
            boxes.append((start, side))
            middle = np.ascontiguousarray(face[start : start + side, start : start + side])
            views.append(cv2.resize(middle, (_INPUT, _INPUT), interpolation=cv2.INTER_AREA).astype(np.float32))
        device = next(self.network.parameters()).device
        batch = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).to(device)
        with exact_float32(device.type):
            _, points, probability = (each.cpu() for each in self.network((batch - 127.5) * 0.0078125))
        best = int(probability[:, 1].argmax())
        if float(probability[best, 1]) < _SURE:
            return None
        start, side = boxes[best]
        found: NDArray[np.float64] = start + side * points[best].double().numpy().reshape(2, 5).T
        return found

    def warp(self, face: Picture) -> Warp | None:
        """The similarity transform (2×3) from a face crop to the template; None where no face is seen in it."""
        found = self.landmarks(face)
        if found is None:
            return None
        warp, _ = cv2.estimateAffinePartial2D(found, TEMPLATE, method=cv2.LMEDS)
        return None if warp is None else np.asarray(warp, dtype=np.float64)


def aligned(face: Picture, warp: Warp) -> Picture:
    """The face at the template's size and place, uint8."""
    # So that no grey mixes into the face.
    padded = cv2.copyMakeBorder(face, _EDGE, _EDGE, _EDGE, _EDGE, cv2.BORDER_REPLICATE)
    moved = warp.copy()
    moved[:, 2] -= _EDGE * warp[:, :2].sum(axis=1)
    large: Picture = cv2.warpAffine(
        padded, moved, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(132, 133, 135)
    )
    return large


def put_back(restored: NDArray[np.float32], face: Picture, warp: Warp) -> NDArray[np.float32]:
    """The restored face (512×512×3, grey levels) where it was in its crop; what lies outside the template's square stays."""
    height, width = face.shape[:2]
    scale = float(np.hypot(warp[0, 0], warp[1, 0]))
    # Averaged first where it gets smaller, as `resize` with INTER_AREA does; a warp alone would skip pixels.
    small: Picture = restored
    factor = 1.0
    if scale > 1:
        side = max(1, round(SIDE / scale))
        small, factor = cv2.resize(restored, (side, side), interpolation=cv2.INTER_AREA), side / SIDE
    to_small = warp.copy()
    # Pixels' middles, not their corners, are at whole numbers.
    to_small[:, :2] *= factor
    to_small[:, 2] = (warp[:, 2] + 0.5) * factor - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpAffine(small, to_small, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), warp, (width, height), flags=flags)
    result: NDArray[np.float32] = np.where(np.asarray(inside)[:, :, None] > 1 - 1e-3, back, face.astype(np.float32))
    return result
