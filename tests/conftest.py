"""Fixtures that several test files share."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import pandas as pd
import pytest
import torch

from sr_deepfake.data.manifest import read_manifest, write_manifest

# No test depends on how fast the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

FaceMaker = Callable[..., pd.DataFrame]


def pytest_configure(config: pytest.Config) -> None:
    # Two processes with two spinning OpenMP threads each starve each other on a small machine.
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no test process is left with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("end_to_end" not in item.path.name, item.path not in slow))


@pytest.fixture(scope="session", autouse=True)
def few_threads() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


@pytest.fixture(autouse=True)
def no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SR_DEEPFAKE_DATA", "SR_DEEPFAKE_OUTPUTS", "SR_DEEPFAKE_CACHE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_faces(tmp_path: Path) -> FaceMaker:
    """Write face crops of noise and their manifest; fakes carry a reddish patch, so that a network can learn."""

    def make(
        per_class: dict[str, int], method: str = "FaceSwap", sides: tuple[int, ...] = (48, 72), seed: int = 0
    ):
        rng = np.random.default_rng(seed)
        rows = []
        for split, count in per_class.items():
            for label in (0, 1):
                for index in range(count):
                    name = "pristine" if label == 0 else method
                    stem = f"{index:03d}" if label == 0 else f"{index:03d}_{index + 1:03d}"
                    video = f"{name}/{split}{stem}"
                    side = sides[index % len(sides)]
                    face = rng.normal(128, 12, (side, side, 3))
                    if label:
                        face[side // 4 : side // 2, side // 4 : side // 2, 2] += 60
                    path = tmp_path / video / "0000.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    cv2.imwrite(str(path), face.clip(0, 255).astype(np.uint8))
                    rows.append(
                        {
                            "face_id": f"{video}/0000", "video_id": video, "method": name, "label": label,
                            "split": split,
                            "target": f"{index:03d}", "source": "" if label == 0 else f"{index + 1:03d}", "frame": 0,
                            "side": side, "path": path.relative_to(tmp_path).as_posix(),
                            "box_left": 0.0, "box_top": 0.0, "box_right": float(side), "box_bottom": float(side),
                            "crop_left": 0, "crop_top": 0, "frame_width": side, "frame_height": side,
                            "probability": 1.0, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                        }
                    )  # fmt: skip
        write_manifest(rows, tmp_path / "faces.parquet")
        return read_manifest(tmp_path)

    return make


@pytest.fixture
def crops(make_faces: FaceMaker, tmp_path: Path) -> Path:
    """A folder with face crops of one method, for programs to run in."""
    make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    return tmp_path
