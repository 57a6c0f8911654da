"""The embedded sample: a miniature FaceForensics++ of generated people, which makes its clips itself."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sr_deepfake.data.sample.build import COMPRESSION, build_sample
from sr_deepfake.data.sources import ffpp


def videos(root: Path) -> pd.DataFrame:
    """List all clips, those that are not made yet too; `root` is in FaceForensics++'s layout."""
    return ffpp.videos(root, COMPRESSION)


def make(root: Path, methods: Sequence[str], workers: int | None, progress: bool) -> None:
    """Make the clips of pristine people and of some forgery methods that are missing; see `build_sample`."""
    build_sample(root, methods, workers=workers, progress=progress)
