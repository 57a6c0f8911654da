import json
from pathlib import Path

import pandas as pd
import pytest

from sr_deepfake.data.leaks import Leaks, look_for_leaks
from sr_deepfake.data.sources.folder_files import SplitRule, list_files
from sr_deepfake.system.errors import UserError

FRAMES = {"a": "00" * 32, "b": "ff" * 32, "c": "0f" * 32}


def faces_of(
    root: Path, folder: Path, pictures: dict[str, str], rule: SplitRule
) -> tuple[object, pd.DataFrame]:
    """A folder whose files show the named pictures, one frame each, and the rows and records of its faces."""
    for name in pictures:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    files = list_files(root, rule)
    rows = []
    for video in files.videos:
        picture = pictures[video.path.relative_to(root).as_posix()]
        (folder / video.video_id).mkdir(parents=True)
        record = {"prints": {"0": FRAMES.get(picture, picture * 32)}}
        (folder / video.video_id / "video.json").write_text(json.dumps(record))
        rows.append({"video_id": video.video_id, "split": video.split, "frame": 0, "sha256": picture})
    return files, pd.DataFrame(rows)


def test_leaks_are_listed_by_the_names_of_the_files(tmp_path):
    pictures = {
        "train/real/x\n1.png": "a", "train/fake/2.png": "1e", "val/real/3.png": "b", "val/fake/4.png": "c",
        "test/real/5.png": "a", "test/fake/6.png": "5a",
    }  # fmt: skip
    files, rows = faces_of(tmp_path / "root", tmp_path / "faces", pictures, SplitRule())
    leaks = look_for_leaks(rows, tmp_path / "faces", files, by_identity=False)
    listed = pd.read_csv(leaks.path)
    assert listed[["kind", "distance", "split", "file", "other_split", "other_file"]].to_numpy().tolist() == [
        ["identical", 0, "train", "train/real/x\\n1.png", "test", "test/real/5.png"]
    ]
    (copy,) = leaks.dropped
    assert copy.startswith("pristine/x_1-")
    assert "1 pairs of files (1 identical)" in leaks.render()


def test_identities_in_two_splits_leak(tmp_path):
    pictures = {
        f"{s}/{k}/{n}.png": "" for s in ("train", "val", "test") for k in ("real", "fake") for n in range(2)
    }
    pictures |= {"train/real/anna_1.png": "", "train/fake/anna_2.png": "", "test/real/anna_3.png": ""}
    pictures = {name: f"{29 * number:02x}" for number, name in enumerate(pictures)}
    pictures = {
        (name if "anna" in name else name.replace(".png", f"x{i}.png")): p
        for i, (name, p) in enumerate(pictures.items())
    }
    files, rows = faces_of(
        tmp_path / "root", tmp_path / "faces", pictures, SplitRule(identity=r"^([a-z]+|\d+x\d+)")
    )
    assert look_for_leaks(rows, tmp_path / "faces", files, by_identity=False).pairs.empty
    leaks = look_for_leaks(rows, tmp_path / "faces", files, by_identity=True)
    assert leaks.pairs["kind"].tolist() == ["identity"] * 2
    assert sorted(name.split("-")[0] for name in leaks.dropped) == ["fake/anna_2", "pristine/anna_1"]


def test_what_is_done_about_leaks(tmp_path, caplog):
    pairs = pd.DataFrame({"kind": ["similar"], "video_id": ["fake/a"]})
    leaks = Leaks(pairs, tmp_path / "leaks.csv")
    with pytest.raises(UserError, match=r"1 pairs .*leaks\.csv.*data\.leaks=drop"):
        leaks.act("error")
    assert caplog.text == ""
    leaks.act("warn")
    assert "1 similar" in caplog.text
    leaks.act("drop")
    assert "1 files are left out" in caplog.text
    for policy in ("warn", "error", "drop"):
        caplog.clear()
        Leaks(pairs[:0], tmp_path).act(policy)
        assert caplog.text == ""


def test_records_without_prints_are_refused(tmp_path):
    rows = pd.DataFrame({"video_id": ["fake/a"], "split": ["train"], "frame": [0], "sha256": ["x"]})
    with pytest.raises(UserError, match=r"sr_deepfake\.prepare data=folder"):
        look_for_leaks(rows, tmp_path, None, by_identity=False)
