"""Fixtures that several test files share."""

import functools
import gc
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import hypothesis
import pandas as pd
import pytest
import torch
from face_crops import write_faces

# No test depends on how fast the machine is.
hypothesis.settings.register_profile("untimed", deadline=None, max_examples=25)
hypothesis.settings.load_profile("untimed")

FaceMaker = Callable[..., pd.DataFrame]


def pytest_configure(config: pytest.Config) -> None:
    # Two processes with two spinning OpenMP threads each starve each other on a small machine.
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no test process is left with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: ("end_to_end" not in item.path.name, item.path not in slow))


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported is never garbage: no collection has to go through it again


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
    """`write_faces` into the test's own folder."""
    return functools.partial(write_faces, tmp_path)


@pytest.fixture
def crops(make_faces: FaceMaker, tmp_path: Path) -> Path:
    """A folder with face crops of one method, for programs to run in."""
    make_faces({"train": 8, "val": 4, "test": 6}, method="FaceSwap")
    return tmp_path
