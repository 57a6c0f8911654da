"""Data sets by name, each built small, as people have them."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import clips, frames_of

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.manifest import DataNotFoundError, FaceSet
from sr_deepfake.data.sources.celebdf import CelebDF
from sr_deepfake.data.sources.deepfakebench import DeepfakeBench
from sr_deepfake.data.sources.dfd import DeepFakeDetection
from sr_deepfake.data.sources.dfdc import DFDC
from sr_deepfake.data.sources.ffpp import FaceForensics
from sr_deepfake.data.sources.folder import Folder
from sr_deepfake.data.sources.layouts import layout_of
from sr_deepfake.system.errors import UserError

SETTINGS = ExtractionSettings(frames=2)


def video(path: Path, which: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clips()[which], path)
    return path


def prepared(kind, root: Path, out: Path, **options) -> FaceSet:
    source = kind(str(root), crops=str(out), settings=SETTINGS, workers=0, **options)
    source.prepare(progress=False)
    again = kind(None, crops=str(out), settings=SETTINGS, **options)
    return again.faces(list(source.methods))


def splits_of(faces: FaceSet) -> dict[str, str]:
    rows = faces.rows.drop_duplicates("video_id")
    return dict(zip(rows["video_id"], rows["split"], strict=True))


@pytest.mark.parametrize(("between", "youtube"), [("", "YouTube-real"), ("videos/", "Youtube-real")])
def test_celeb_df_takes_its_official_test_list(tmp_path, between, youtube):
    root = tmp_path / "celeb"
    for place, name in enumerate(
        (f"Celeb-real/{between}id0_0001", f"Celeb-real/{between}id1_0001", f"{youtube}/{between}00001",
         f"Celeb-synthesis/{between}id0_id1_0001", f"Celeb-synthesis/{between}id1_id0_0001")
    ):  # fmt: skip
        video(root / f"{name}.mp4", place)
    (root / "List_of_testing_videos.txt").write_text(
        f"1 Celeb-real/id0_0001.mp4\n0 Celeb-synthesis/id0_id1_0001.mp4\n1 {youtube}/00001.mp4\n",
        encoding="utf-8-sig",
    )
    assert layout_of(root) == "celebdf"
    faces = prepared(CelebDF, root, tmp_path / "out")
    found = splits_of(faces)
    assert {name for name, split in found.items() if split == "test"} == {
        "pristine/Celeb-real-id0_0001", f"pristine/{youtube}-00001", "Celeb-synthesis/id0_id1_0001",
    }  # fmt: skip
    assert found.keys() - {"pristine/Celeb-real-id1_0001", "Celeb-synthesis/id1_id0_0001"}
    rows = faces.rows.set_index("video_id")
    assert rows.loc["Celeb-synthesis/id0_id1_0001", "target"].iloc[0] == "id0"
    assert set(rows.loc["Celeb-synthesis/id0_id1_0001", "label"]) == {1}
    assert len(faces.of("test", "Celeb-synthesis")) == 6


def test_celeb_df_without_its_list_or_with_a_broken_one_is_refused(tmp_path):
    video(tmp_path / "Celeb-real" / "id0_0001.mp4")
    with pytest.raises(DataNotFoundError, match=r"List_of_testing_videos\.txt is missing"):
        prepared(CelebDF, tmp_path, tmp_path / "out")
    (tmp_path / "List_of_testing_videos.txt").write_text("real Celeb-real/id0_0001.mp4\n")
    with pytest.raises(UserError, match="line 1"):
        prepared(CelebDF, tmp_path, tmp_path / "out")


@pytest.mark.parametrize("test_list", ["metadata", "labels", None])
def test_dfdc_keeps_forgeries_of_one_original_together(tmp_path, test_list):
    root = tmp_path / "dfdc"
    for part in range(8):
        folder = root / f"dfdc_train_part_{part:02d}"
        names = [f"r{part}.mp4", f"f{part}.mp4", f"g{part}.mp4"]
        for name in names:
            video(folder / name, part)
        fake = {"label": "FAKE", "split": "train", "original": names[0]}
        content = {names[0]: {"label": "REAL", "split": "train"}, names[1]: fake, names[2]: fake}
        (folder / "metadata.json").write_text(json.dumps(content))
    if test_list:
        for name in ("x.mp4", "y.mp4"):
            video(root / "test" / name)
    if test_list == "metadata":
        (root / "test" / "metadata.json").write_text(
            json.dumps({"x.mp4": {"is_fake": 1}, "y.mp4": {"is_fake": 0}})
        )
    elif test_list == "labels":
        (root / "test" / "labels.csv").write_text("filename,label\nx.mp4,1\ny.mp4,0\n")
    assert layout_of(root) == "dfdc"
    source = DFDC(str(root), crops=str(tmp_path / "out"), settings=SETTINGS, workers=0)
    videos = source.videos(root, ["DFDC"])
    assert sum(one.label for one in videos) == 16 + bool(test_list)
    groups: dict[str, set[str]] = {}
    for one in videos:
        groups.setdefault(one.target, set()).add(one.split)
    assert all(len(splits) == 1 for splits in groups.values())
    if test_list:
        assert {one.path.name: one.label for one in videos if one.split == "test"} == {"x.mp4": 1, "y.mp4": 0}
        faces = prepared(DFDC, root, tmp_path / "out")
        assert len(faces.of("test", "DFDC")) == 4


def test_the_preview_of_dfdc_has_its_own_split(tmp_path):
    content = {
        "original_videos/1/a.mp4": {"label": "real", "target_id": 1, "set": "test"},
        "method_A/1/b.mp4": {"label": "fake", "target_id": 1, "set": "test"},
        "method_A/2/a.mp4": {"label": "fake", "target_id": 2, "set": "train"},
    }
    for name in content:
        video(tmp_path / name)
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    assert layout_of(tmp_path) == "dfdc"
    videos = DFDC(str(tmp_path), str(tmp_path / "out")).videos(tmp_path, ["DFDC"])
    assert sorted((one.path.name, one.label, one.split == "test") for one in videos) == [
        ("a.mp4", 0, True), ("a.mp4", 1, False), ("b.mp4", 1, True),
    ]  # fmt: skip
    assert len({one.video_id for one in videos}) == 3


def test_deepfakedetection_is_a_test_set_as_a_whole(tmp_path):
    video(tmp_path / "original_sequences/actors/c23/videos/01__walk.mp4")
    video(tmp_path / "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__walk__ABC.mp4", 1)
    assert layout_of(tmp_path) == "dfd"
    faces = prepared(DeepFakeDetection, tmp_path, tmp_path / "out")
    assert splits_of(faces) == {"pristine/01__walk": "test", "DeepFakeDetection/01_02__walk__ABC": "test"}
    row = faces.rows[faces.rows["label"] == 1].iloc[0]
    assert (row["target"], row["source"]) == ("01", "02")
    with pytest.raises(DataNotFoundError, match=r"data\.compression=c40"):
        prepared(DeepFakeDetection, tmp_path, tmp_path / "other", compression="c40")


def pictures(folder: Path, which: int, count: int = 4, square: bool = False) -> list[Path]:
    folder.mkdir(parents=True)
    paths = []
    for number, frame in enumerate(frames_of(clips()[which])[:count]):
        picture = cv2.resize(frame, (64, 64)) if square else frame
        paths.append(folder / f"{number:03d}.png")
        cv2.imwrite(str(paths[-1]), picture[:, :, ::-1])
    return paths


@pytest.mark.parametrize(
    "spelt", ["{path}", "C:\\their\\machine\\{back}", "rgb/{path}", "/data/somebody/rgb/FF/../{path}"]
)
def test_faces_of_deepfakebench_are_taken_as_they_are(tmp_path, spelt):
    root = tmp_path / "root"
    content: dict = {"FF-DF": {"FF-real": {}, "FF-DF": {}}}
    listed = [("FF-real", "train", "000"), ("FF-DF", "train", "000_003")]
    listed += [("FF-real", "test", "953"), ("FF-DF", "test", "953_974")]
    for place, (label, split, name) in enumerate(listed):
        paths = [
            path.relative_to(root).as_posix() for path in pictures(root / "FF" / label / name, place, 4, True)
        ]
        frames = [spelt.format(path=path, back=path.replace("/", "\\")) for path in paths]
        content["FF-DF"][label].setdefault(split, {}).setdefault("c23", {})[name] = {
            "label": label,
            "frames": frames,
        }
    (root / "FF-DF.json").write_text(json.dumps(content))
    assert layout_of(root) == "deepfakebench"
    out = tmp_path / "out"
    source = DeepfakeBench(str(root), crops=str(out), settings=SETTINGS)
    assert source.methods == ["FF-DF"]
    summary = source.prepare(progress=False)
    assert "Faces: 8" in summary.render()
    faces = DeepfakeBench(None, crops=str(out)).faces(["FF-DF"])
    assert set(faces.rows["frame"]) == {0, 2}  # spread evenly
    assert len(faces.of("test", "FF-DF")) == 4
    assert set(faces.rows["video_id"]) == {
        "pristine/FF-real-000", "FF-DF/000_003", "pristine/FF-real-953", "FF-DF/953_974",
    }  # fmt: skip
    rows = faces.rows.assign(
        stem=faces.rows["video_id"].str.rsplit(r"/", n=1).str[1].str.removeprefix("FF-real-")
    )
    for row in rows.itertuples():
        assert row.side == 64
        original = root / "FF" / ("FF-DF" if row.label else "FF-real") / row.stem / f"{row.frame:03d}.png"
        assert (out / row.path).read_bytes() == original.read_bytes()


def test_what_deepfakebenchs_lists_lack_is_told(tmp_path):
    (tmp_path / "CelebDFv2.json").write_text(
        json.dumps(
            {"Celeb-DF-v2": {"CelebDFv2_fake": {"test": {"a": {"label": "x", "frames": ["gone/0.png"]}}}}}
        )
    )
    source = DeepfakeBench(str(tmp_path), crops=str(tmp_path / "out"))
    assert source.methods == ["CelebDFv2_fake"]  # without a level of compression
    with pytest.raises(DataNotFoundError, match="not one of the pictures of 1 listed videos"):
        source.prepare(progress=False)
    (tmp_path / "CelebDFv2.json").write_text('{"x": 3}')
    with pytest.raises(UserError, match="no list of DeepfakeBench"):
        source.prepare(progress=False)
    levels = {"x": {"FF-DF": {"test": {"c40": {"a": {"frames": []}}}}}}
    (tmp_path / "CelebDFv2.json").write_text(json.dumps(levels))
    with pytest.raises(UserError, match=r"compressions c40, not data\.compression=c23"):
        source.prepare(progress=False)


def test_ffpp_as_a_flat_mirror_and_as_extracted_frames(tmp_path):
    flat, frames = tmp_path / "flat", tmp_path / "frames"
    video(flat / "original" / "071.mp4")
    video(flat / "FaceSwap" / "071_054.mp4", 1)
    pictures(frames / "original_sequences/youtube/c23/frames/071", 0, 10)
    pictures(frames / "manipulated_sequences/FaceSwap/c23/frames/071_054", 1, 10)
    found = {}
    for root in (flat, frames):
        assert layout_of(root) == "ffpp"
        faces = prepared(FaceForensics, root, tmp_path / f"out-{root.name}")
        found[root.name] = faces.rows.set_index("face_id")[["frame", "side", "label", "split"]]
        assert set(faces.rows["video_id"]) == {"pristine/071", "FaceSwap/071_054"}
    # The pictures are the video's frames, without a loss: the same are drawn, the same faces found.
    assert found["flat"].equals(found["frames"])


def test_masks_of_extracted_frames_are_used(tmp_path):
    pictures(tmp_path / "manipulated_sequences/FaceSwap/c23/frames/071_054", 1, 10)
    masks = tmp_path / "manipulated_sequences/FaceSwap/c23/masks/071_054"
    for path in pictures(masks, 1, 10):
        cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    source = FaceForensics(str(tmp_path), crops=str(tmp_path / "out"), settings=SETTINGS, workers=0)
    with pytest.raises(UserError, match="the mask is empty"):
        source.prepare(["FaceSwap"], progress=False)


def test_a_wrong_root_is_told_with_what_it_looks_like(tmp_path):
    celeb = tmp_path / "celeb"
    video(celeb / "Celeb-synthesis" / "id0_id1_0001.mp4")
    with pytest.raises(
        DataNotFoundError, match=r"Looked for: original_sequences.*It looks like data=celebdf"
    ):
        prepared(FaceForensics, celeb, tmp_path / "out")
    with pytest.raises(DataNotFoundError, match=r"data=dfdc.*no list of videos.*It looks like data=celebdf"):
        prepared(DFDC, celeb, tmp_path / "out")
    with pytest.raises(DataNotFoundError, match=r"celeb looks like it: data\.root=.*celeb"):
        prepared(CelebDF, tmp_path, tmp_path / "out")
    with pytest.raises(DataNotFoundError, match="the folder does not exist"):
        prepared(DeepFakeDetection, tmp_path / "nowhere", tmp_path / "out")
    own = tmp_path / "own"
    for name in ("real", "fake"):
        video(own / name / "a.mp4")
    with pytest.raises(DataNotFoundError, match="It looks like data=folder"):
        prepared(CelebDF, own, tmp_path / "out")
    with pytest.raises(DataNotFoundError, match="It looks like data=celebdf"):
        Folder(str(celeb), outputs=str(tmp_path)).prepare(progress=False)


def test_a_list_cannot_write_outside_its_folder(tmp_path):
    path = pictures(tmp_path / "root" / "a", 0, 1, square=True)[0]
    frames = {"frames": [path.relative_to(tmp_path / "root").as_posix()]}
    content = {"x": {"../../evil": {"test": {"../../../v": frames}}, "x_real": {"test": {"..": frames}}}}
    (tmp_path / "root" / "x.json").write_text(json.dumps(content))
    out = tmp_path / "deep" / "out"
    DeepfakeBench(str(tmp_path / "root"), crops=str(out), settings=SETTINGS).prepare(progress=False)
    written = [file for file in tmp_path.rglob("*.png") if file != path]
    assert len(written) == 2
    assert all(file.is_relative_to(out) and ".." not in file.parts for file in written)


def test_a_video_in_several_splits_of_a_list_is_of_the_test(tmp_path):
    """Lists of Celeb-DF have every video under train, those of DeepFakeDetection under all three."""
    root = tmp_path / "root"
    frames = {
        name: {
            "label": "x",
            "frames": [path.relative_to(root).as_posix() for path in pictures(root / name, place, 2, True)],
        }
        for place, name in enumerate(("a", "b", "c"))
    }
    fakes = {"train": {n: frames[n] for n in "ab"}, "test": {"b": frames["b"]}, "val": frames["c"]}
    real = {"train": {"c": frames["c"]}, "val": {"c": frames["c"]}, "test": {"c": frames["c"]}}
    (root / "CelebDFv2.json").write_text(
        json.dumps({"Celeb-DF-v2": {"CelebDFv2_fake": fakes, "CelebDFv2_real": real}})
    )
    source = DeepfakeBench(str(root), crops=str(tmp_path / "out"), settings=SETTINGS)
    source.prepare(progress=False)
    assert splits_of(source.faces(["CelebDFv2_fake"])) == {
        "CelebDFv2_fake/a": "train", "CelebDFv2_fake/b": "test", "pristine/CelebDFv2_real-c": "test",
    }  # fmt: skip


def test_other_lists_give_other_faces(tmp_path):
    root, out = tmp_path / "root", str(tmp_path / "out")
    for place, name in enumerate(("one", "other")):
        listed = [path.relative_to(root).as_posix() for path in pictures(root / name, place, 2, True)]
        (tmp_path / f"{name}.json").write_text(
            json.dumps({"x": {"FF-DF": {"test": {name: {"frames": listed}}}}})
        )

    def ids(name, root=str(root)):
        source = DeepfakeBench(root, lists=str(tmp_path / f"{name}.json"), crops=out, settings=SETTINGS)
        return set(source.faces(["FF-DF"]).rows["video_id"])

    assert ids("one") == {"FF-DF/one"}
    assert ids("other") == {"FF-DF/other"}
    assert ids("one", root=None) == {"FF-DF/other"}  # as they are


@pytest.mark.parametrize(
    ("fake", "real"), [("1", "0"), ("fake", "real"), ("FAKE", "REAL"), ("1.0", "0.0"), ("True", "False")]
)
def test_labels_of_dfdc_in_any_words(tmp_path, fake, real):
    for name in ("x.mp4", "y.mp4"):
        video(tmp_path / "test" / name)
    (tmp_path / "test" / "labels.csv").write_text(f"filename,label\nx.mp4,{fake}\ny.mp4,{real}\n")
    (tmp_path / "test" / "metadata.json").write_text(
        json.dumps({"x.mp4": {"is_fake": 1}, "y.mp4": {"is_fake": 0}})
    )
    videos = DFDC(str(tmp_path), str(tmp_path / "out")).videos(tmp_path, ["DFDC"])
    assert {one.path.name: one.label for one in videos} == {"x.mp4": 1, "y.mp4": 0}
    assert len(videos) == 2


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("x.mp4,perhaps", "neither FAKE nor REAL"),
        ("x.mp4", "without filename and label"),
        ("/x.mp4,1", "not a file beside it"),
    ],
)
def test_lists_of_dfdc_that_make_no_sense_are_told(tmp_path, rows, told):
    video(tmp_path / "test" / "x.mp4")
    (tmp_path / "test" / "labels.csv").write_text(f"filename,label\n{rows}\n")
    with pytest.raises(UserError, match=told):
        DFDC(str(tmp_path), str(tmp_path / "out")).videos(tmp_path, ["DFDC"])
