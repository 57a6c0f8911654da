from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sr_deepfake.data.extraction.pipeline import ExtractionSettings
from sr_deepfake.data.manifest import FaceSet, read_manifest, thin
from sr_deepfake.data.sources.ffpp import FaceForensics
from sr_deepfake.system.errors import UserError


@given(st.lists(st.integers(1, 15), min_size=1, max_size=5), st.integers(1, 12))
def test_thinning_keeps_as_many_faces_of_each_video_as_asked_for(counts, frames):
    rng = np.random.default_rng(sum(counts))
    rows = pd.concat(
        pd.DataFrame({"video_id": f"v{number}", "frame": rng.permutation(300)[:count]})
        for number, count in enumerate(counts)
    )
    kept = thin(rows, frames).groupby("video_id")["frame"]
    for number, count in enumerate(counts):
        frames_kept = kept.get_group(f"v{number}")
        assert len(frames_kept) == min(count, frames)
        everything = rows[rows["video_id"] == f"v{number}"]["frame"]
        assert everything.min() == frames_kept.min()  # the first one is among them


def test_a_split_holds_pristine_faces_and_those_of_one_method(make_faces, tmp_path):
    faces = FaceSet("test", tmp_path, make_faces({"train": 3, "val": 2}))
    rows = faces.of("train", "FaceSwap")
    assert set(rows["method"]) == {"pristine", "FaceSwap"}
    assert set(rows["split"]) == {"train"}
    assert len(rows) == 6


def test_a_missing_class_names_the_command(make_faces, tmp_path):
    faces = FaceSet("ffpp", tmp_path, make_faces({"train": 3}))
    with pytest.raises(UserError, match=r"0 Deepfakes faces for train.*sr_deepfake\.prepare data=ffpp"):
        faces.of("train", "Deepfakes")


def source(crops, root=None):
    return FaceForensics(root, "c23", str(crops), ExtractionSettings(dataset="ffpp-c23"), workers=0)


def test_training_needs_the_crops_and_not_the_videos(make_faces, tmp_path):
    make_faces({"train": 3})
    assert source(tmp_path).faces(["FaceSwap"]).rows.equals(read_manifest(tmp_path))


def test_missing_crops_name_the_command(tmp_path):
    with pytest.raises(
        UserError, match=r"sr_deepfake\.prepare data=ffpp data\.root=/my/ffpp data\.compression=c23"
    ):
        source(tmp_path, "/my/ffpp").faces(["FaceSwap"])


def test_preparing_needs_the_root(tmp_path):
    with pytest.raises(UserError, match=r"data\.root=/path/to/FaceForensics"):
        source(tmp_path).prepare()
    with pytest.raises(UserError, match="nowhere"):
        source(tmp_path, str(Path("nowhere").absolute())).prepare()
