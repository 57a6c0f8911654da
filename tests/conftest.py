"""Fixtures that several test files share."""

import functools
import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import hypothesis
import pandas as pd
import pytest
import torch
from face_crops import write_faces
from forked import TINY, run

from sr_deepfake.data.manifest import read_videos, write_videos

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


@pytest.fixture
def two_methods(make_faces: FaceMaker, tmp_path: Path) -> Path:
    """As `crops`, with the fakes of two methods."""
    parts = []
    for method in ("FaceSwap", "Deepfakes"):
        make_faces({"train": 8, "val": 4, "test": 6}, method=method)
        parts.append((pd.read_parquet(tmp_path / "faces.parquet"), read_videos(tmp_path / "videos.csv")))
    faces, videos = (pd.concat(tables).drop_duplicates("video_id") for tables in zip(*parts, strict=True))
    faces.to_parquet(tmp_path / "faces.parquet")
    write_videos(videos, tmp_path / "videos.csv")
    return tmp_path


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Crops, a detector, its results under the paper's attack, and what was printed; no test changes them."""
    folder = tmp_path_factory.mktemp("trained")
    write_faces(folder, {"train": 8, "val": 4, "test": 6})
    return folder, run("train", *TINY, "forgery=FaceSwap", cwd=folder)


@pytest.fixture
def trained(trained_once: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(trained_once[0], tmp_path / "trained")
