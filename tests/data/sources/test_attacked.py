import shutil

from video_files import clips

from sr_deepfake.data.extraction.settings import ExtractionSettings
from sr_deepfake.data.sources import folder
from sr_deepfake.data.sources.attacked import AttackedVideos
from sr_deepfake.data.sources.data_set import DataSet


def test_only_a_video_that_has_changed_is_attacked_again(tmp_path, monkeypatch):
    root, attacked = tmp_path / "root", []
    for place, kind in enumerate(("real", "fake")):
        (root / "test" / kind).mkdir(parents=True)
        shutil.copy(clips()[place], root / "test" / kind / "clip.mp4")

    def attack(before, after):
        attacked.append(before)
        after.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(before, after)

    settings = ExtractionSettings(frames=1)
    options = {"methods": ["fake"], "settings": settings, "crop": False, "workers": 0, "automatic": True}
    source = DataSet("folder", folder.videos, str(root), outputs=str(tmp_path), **options)
    videos = AttackedVideos(source, "fake", attack, "copy", tmp_path / "out", progress=False)
    first = videos.faces(["fake"]).rows["sha256"]
    assert videos.faces(["fake"]).rows["sha256"].equals(first)
    assert len(attacked) == 2
    shutil.copy2(clips()[5], root / "test" / "fake" / "clip.mp4")  # with its time, long ago
    assert (videos.faces(["fake"]).rows["sha256"] == first).tolist() == [True, False]
    assert len(attacked) == 3
