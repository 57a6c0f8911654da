"""Pictures of the sample's people on a background."""

import cv2
import numpy as np

from sr_deepfake.data.sample.people import read_identity


def scene(*faces: tuple[str, int, int, int], height: int = 300, width: int = 420) -> np.ndarray:
    """People (name, left, top, side) on a textured background: uint8 RGB `H×W×3`."""
    noise = np.random.default_rng(0).uniform(0, 255, (height // 16, width // 16, 3)).astype(np.float32)
    frame = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    for name, left, top, side in faces:
        person = cv2.resize(read_identity(name)[0], (side, side), interpolation=cv2.INTER_AREA)
        frame[top : top + side, left : left + side] = person
    return frame


def two_people() -> np.ndarray:
    """A picture of two people, whose faces are about 100 and 60 px large."""
    return scene(("030", 10, 20, 200), ("031", 250, 120, 150))
