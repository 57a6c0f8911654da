import cv2
import numpy as np
import pandas as pd
import torch
from small_training import Crops

from sr_deepfake.attacks.corruptions import BlurAttack
from sr_deepfake.data.export import export_faces

CPU = torch.device("cpu")


def test_faces_are_written_as_they_are_and_attacked(make_faces, tmp_path):
    rows = make_faces({"test": 5})
    out = tmp_path / "out"
    faces = Crops(tmp_path).faces([])
    written = list(export_faces(faces, rows, BlurAttack(sigma=2.0), "blur-s2", out, CPU))
    assert sorted(written) == sorted(rows["face_id"])
    listed = pd.read_csv(out / "faces.csv")
    assert set(listed["face"]) == set(rows["face_id"])
    assert set(listed["attack"]) == {"blur-s2"}
    assert listed[["score", "score_attacked"]].isna().all().all()
    for row in listed.itertuples():
        source = cv2.imread(str(tmp_path / f"{row.face}.png"))
        np.testing.assert_array_equal(cv2.imread(str(out / row.clean)), source)
        face = torch.from_numpy(source[:, :, ::-1].copy()).permute(2, 0, 1)[None].float() / 255
        expected = (BlurAttack(sigma=2.0)(face)[0] * 255).round().permute(1, 2, 0).numpy()[:, :, ::-1]
        np.testing.assert_array_equal(cv2.imread(str(out / row.attacked)), expected)


def test_without_an_attack_there_are_clean_faces_alone(make_faces, tmp_path):
    rows = make_faces({"test": 2})
    out = tmp_path / "out"
    faces = Crops(tmp_path).faces([])
    list(export_faces(faces, rows, BlurAttack(sigma=2.0), "blur-s2", out, CPU))
    (out / "notes.txt").touch()
    list(export_faces(faces, rows[:1], None, "none", out, CPU))  # of an earlier export nothing stays
    assert {path.name for path in out.iterdir()} == {"clean", "faces.csv", "notes.txt"}
    assert len(list(out.rglob("*.png"))) == 1
    assert pd.read_csv(out / "faces.csv")["attacked"].isna().all()


def test_exported_faces_scored_by_others_come_back_as_tables(crops):
    from forked import TINY, run, without_figures

    options = [option for option in TINY if not option.startswith(("model", "data.workers", "trainer.enable"))]
    options = [*options, "attack=bicubic", "prepare.methods=[FaceSwap]", "prepare.export=out"]
    for split, count in (("all", 36), ("test", 12)):
        shown = run("prepare", *options, f"prepare.split={split}", cwd=crops)
        assert f"{count} faces of ffpp ({split}), attack bicubic-x2" in shown
    listed = pd.read_csv(crops / "out" / "faces.csv")
    listed["score"] = 0.2 + 0.6 * listed["label"]
    listed["score_attacked"] = 0.3
    listed.to_csv(crops / "api.csv", index=False)
    shown = run("report", "scores=api.csv", cwd=crops, before=without_figures)
    assert "bicubic-x2" in shown
    changes = pd.read_csv(crops / "outputs" / "report" / "tables" / "changes.csv")
    assert changes["FNR change"].iloc[0].startswith("+100.0")
    assert changes["Model"].tolist() == ["api"]
