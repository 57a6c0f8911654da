"""Loading of training faces, one process: with the augmentation there, and with it on the device.

The faces are generated people, PNG files of 288 px, as large as FaceForensics++ faces often are. What is left of the
time is decoding and resizing. Run: python benchmarks/loading.py
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from sr_deepfake.data.augmentation import Augmentation
from sr_deepfake.data.faces import TrainingFaces
from sr_deepfake.data.sample.people import read_identity

FACES, SIDE, INPUT = 100, 288, 224
PROTOCOL = {"jpeg": 0.2, "noise": 0.3, "flip": 0.5, "grey": 0.2, "affine": 0.5}  # conf/protocol/paper.yaml


def write_faces(folder: Path) -> pd.DataFrame:
    """Write faces as `prepare` does; return the columns of their manifest that training reads."""
    rows = []
    for index in range(FACES):
        frame = read_identity(f"{index % 20:03d}")[index // 20]
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), cv2.resize(frame[:, :, ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
        rows.append({"path": path.name, "label": index % 2})
    return pd.DataFrame(rows)


def milliseconds(faces: TrainingFaces) -> float:
    """CPU time a face."""
    started = time.process_time()
    for index in range(len(faces)):
        faces[1, index]
    return (time.process_time() - started) / len(faces) * 1000


def main() -> None:
    """Measure both, in turn, and print the medians."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_faces(folder)
        loaders = {
            "loader": TrainingFaces(rows, folder, INPUT, Augmentation(PROTOCOL), seed=0),
            "device": TrainingFaces(rows, folder, INPUT, Augmentation(PROTOCOL), seed=0, on_device=True),
        }
        times: dict[str, list[float]] = {place: [] for place in loaders}
        for _ in range(5):
            for place, faces in loaders.items():
                times[place].append(milliseconds(faces))
    median = {place: float(np.median(values)) for place, values in times.items()}
    for place, value in median.items():
        print(f"augmentation on the {place}: {value:5.2f} ms a face and core, {1000 / value:4.0f} faces/s")
    print(f"ratio: {median['loader'] / median['device']:.2f}")


if __name__ == "__main__":
    main()
