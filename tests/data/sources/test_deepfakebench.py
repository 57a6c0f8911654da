"""Faces that DeepfakeBench prepared, in lists as people have them."""

import json
from pathlib import Path

import cv2
import pytest
from video_files import clips, frames_of

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import DataNotFoundError
from sr_deepfake.data.sources.deepfakebench import DeepfakeBench
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=2)


def pictures(folder: Path, which: int, count: int = 4) -> list[str]:
    """Square frames of a person; their paths below the root, which is two folders up."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames_of(clips()[which])[:count]):
        cv2.imwrite(str(folder / f"{number:03d}.png"), cv2.resize(frame, (64, 64))[:, :, ::-1])
    return [path.relative_to(folder.parent.parent).as_posix() for path in sorted(folder.iterdir())]


def listed(root: Path, content: dict, name: str = "list") -> Path:
    (root / f"{name}.json").write_text(json.dumps({"x": content}))
    return root / f"{name}.json"


@pytest.mark.parametrize(
    "spelt", ["{path}", "C:\\their\\machine\\{back}", "rgb/{path}", "/data/somebody/rgb/FF/../{path}"]
)
def test_faces_are_taken_as_they_are(tmp_path, spelt):
    root = tmp_path / "root"
    content: dict = {"FF-real": {}, "FF-DF": {}}
    for which, name in enumerate(("000", "000_003", "953", "953_974")):
        label, split = "FF-DF" if "_" in name else "FF-real", "train" if which < 2 else "test"
        paths = pictures(root / label / name, which)
        frames = [spelt.format(path=path, back=path.replace("/", "\\")) for path in paths]
        content[label][split] = {"c23": {name: {"label": label, "frames": frames}}}
    listed(root, content)
    out = tmp_path / "out"
    source = DeepfakeBench(str(root), crops=str(out), settings=SETTINGS)
    assert source.methods == ["FF-DF"]
    assert "Faces: 8" in source.prepare(progress=False)
    faces = DeepfakeBench(None, crops=str(out)).faces(["FF-DF"])
    assert faces.margin is None  # they were not cut out here
    assert set(faces.rows["frame"]) == {0, 2}  # spread evenly
    assert len(faces.of("test", "FF-DF")) == 4
    assert faces.rows.groupby("cluster")["video_id"].unique().map(set).tolist() == [
        {"pristine/FF-real-000", "FF-DF/000_003"}, {"pristine/FF-real-953", "FF-DF/953_974"},
    ]  # fmt: skip
    for row in faces.rows.itertuples():
        stem = row.video_id.rpartition("/")[2].removeprefix("FF-real-")
        original = root / ("FF-DF" if row.label else "FF-real") / stem / f"{row.frame:03d}.png"
        assert (out / row.path).read_bytes() == original.read_bytes()
        assert row.side == 64


def test_what_is_wrong_with_a_list_is_said(tmp_path):
    listed(tmp_path, {"CelebDFv2_fake": {"test": {"a": {"label": "x", "frames": ["gone/0.png"]}}}})
    source = DeepfakeBench(str(tmp_path), crops=str(tmp_path / "out"))
    assert source.methods == ["CelebDFv2_fake"]  # without a level of compression
    with pytest.raises(DataNotFoundError, match="not one of the pictures of 1 listed videos"):
        source.prepare(progress=False)
    compressed = {"FF-DF": {"test": {"c40": {"a": {"frames": []}}}}}
    for content, message in ((3, "is no list of D"), (compressed, r"compressions c40, not data\.compression=c23")):
        listed(tmp_path, content)
        with pytest.raises(UserError, match=message):
            source.prepare(progress=False)


def test_a_list_cannot_write_outside_its_folder(tmp_path):
    root, out = tmp_path / "root", tmp_path / "deep" / "out"
    frames = {"frames": pictures(root / "a" / "b", 0, 1)}
    listed(
        root,
        {"../../evil": {"test": {"../../../v": frames}}, "x Real": {"test": {"..": frames, "empty": {"frames": []}}}},
    )
    assert "pristine: 1 faces" in DeepfakeBench(str(root), crops=str(out), settings=SETTINGS).prepare(progress=False)
    written = [file for file in tmp_path.rglob("*.png") if not file.is_relative_to(root)]
    assert len(written) == 2
    assert all(file.is_relative_to(out) and ".." not in file.parts for file in written)


def test_a_video_in_several_splits_of_a_list_is_of_the_test(tmp_path):
    """Lists of Celeb-DF have every video under train, those of DeepFakeDetection under all three."""
    root = tmp_path / "root"
    frames = {name: {"frames": pictures(root / "x" / name, place, 2)} for place, name in enumerate("abc")}
    fakes = {"train": {n: frames[n] for n in "ab"}, "test": {"b": frames["b"]}, "val": frames["c"]}
    real = {split: {"c": frames["c"]} for split in ("train", "val", "test")}
    listed(root, {"CelebDFv2_fake": fakes, "CelebDFv2_real": real})
    source = DeepfakeBench(str(root), crops=str(tmp_path / "out"), settings=SETTINGS)
    rows = source.faces(["CelebDFv2_fake"]).rows
    assert rows.groupby("video_id")["split"].first().to_dict() == {
        "CelebDFv2_fake/a": "train", "CelebDFv2_fake/b": "test", "pristine/CelebDFv2_real-c": "test",
    }  # fmt: skip


def test_other_lists_give_other_faces(tmp_path):
    root, out = tmp_path / "root", str(tmp_path / "out")
    lists = {}
    for place, name in enumerate(("one", "other")):
        frames = pictures(root / "x" / name, place, 2)
        lists[name] = str(listed(root, {"FF-DF": {"test": {name: {"frames": frames}}}}, name))

    def ids(name, root=str(root)):
        source = DeepfakeBench(root, lists=lists[name], crops=out, settings=SETTINGS)
        return set(source.faces(["FF-DF"]).rows["video_id"])

    assert ids("one") == {"FF-DF/one"}
    assert ids("other") == {"FF-DF/other"}
    assert ids("one", root=None) == {"FF-DF/other"}  # as they are
