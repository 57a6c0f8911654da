import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from result_folders import read, write_results
from scored_faces import predictions

from sr_deepfake.app.examples import illustrate
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import MANIFEST, SCHEMA, fingerprint, write_manifest
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.reporting.examples import FALSE_ALARM, MISSED
from sr_deepfake.reporting.grid import Wish, make_grid
from sr_deepfake.super_resolution.interpolation import Interpolation

SIDE, COUNT = 48, 8
INTERPOLATION = {
    "_target_": "sr_deepfake.super_resolution.interpolation.Interpolation",
    "mode": "bicubic",
    "scale": 2,
}
ATTACK = {
    "_target_": "sr_deepfake.attacks.super_resolution.SuperResolutionAttack",
    "sr_model": INTERPOLATION,
    "scale": 2,
}


def attacked(face):
    return SuperResolutionAttack(Interpolation())(face[None].float() / 255)


@pytest.fixture
def outputs(tmp_path):
    """Results of 8 + 8 faces, half of which the attack turned, whose pictures are in the outputs."""
    outputs = tmp_path / "outputs"
    crops = outputs / "faces" / "ffpp-c23"
    table = predictions((0, 0.5), (0, 0.25), COUNT, sides=(SIDE,))
    table["video_id"] = table["face_id"]
    rng = np.random.default_rng(0)
    rows = []
    for place, face in enumerate(table.itertuples()):
        path = crops / "pngs" / f"{face.face_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
        clean = read_face(path)
        table.loc[place, "ssim"] = float(ssim(clean[None].float() / 255, attacked(clean)))
        known = {"face_id": face.face_id, "video_id": face.video_id, "method": face.method, "split": "test"}
        known |= {"label": face.label, "side": SIDE, "frame": 0, "path": f"pngs/{face.face_id}.png"}
        rows.append({field.name: "" if field.type == "string" else 0 for field in SCHEMA} | known)
    write_manifest(rows, crops / MANIFEST)
    source = {
        "_target_": "sr_deepfake.data.sources.ffpp.FaceForensics",
        "crops": "/gone/outputs/faces/ffpp-c23",
    }
    source |= {"root": None, "compression": "c23", "settings": None}
    config = {
        "data": {"frames": 5, "source": source},
        "paths": {"outputs": "/gone/outputs"},
        "cache": {"folder": "/gone/outputs/attacked_faces"},
        "attack": ATTACK,
    }
    write_results(
        outputs, data="ffpp", faces=table, config=config, test_faces=fingerprint(pd.DataFrame(rows))
    )
    return outputs


def illustrated(outputs, count=2):
    return illustrate(make_grid(read(outputs), Wish(), lambda *_: ("make", "")), count)


def edit(outputs, change):
    (file,) = outputs.glob("results/*/provenance.json")
    content = json.loads(file.read_text())
    change(content["config"])
    file.write_text(json.dumps(content))


def test_examples_show_the_face_and_what_the_attack_makes_of_it(outputs):
    examples, notes = illustrated(outputs)
    assert not notes
    assert [example.kind for example in examples] == [MISSED, MISSED, FALSE_ALARM, FALSE_ALARM]
    for example in examples:
        face = read_face(outputs / "faces" / "ffpp-c23" / "pngs" / f"{example.face_id}.png")
        assert np.array_equal(example.clean, face.permute(1, 2, 0).numpy())
        expected = (attacked(face)[0] * 255).round().to(torch.uint8)
        assert np.array_equal(example.attacked, expected.permute(1, 2, 0).numpy())
        assert (example.model, example.forgery) == ("resnet50", "FaceSwap")
    assert not (outputs / "attacked_faces").exists()  # a report writes nothing but itself
    assert illustrated(outputs, 0) == ([], [])


def test_faces_that_are_gone_are_told_and_the_report_goes_on(outputs):
    (outputs / "faces" / "ffpp-c23" / MANIFEST).unlink()
    examples, notes = illustrated(outputs)
    assert not examples
    assert len(notes) == 1
    assert "face crops are gone: there is no /gone/outputs/faces/ffpp-c23/faces.parquet" in notes[0]


def test_one_missing_picture_is_told(outputs):
    for file in (outputs / "faces" / "ffpp-c23" / "pngs").iterdir():
        file.unlink()
    examples, notes = illustrated(outputs)
    assert not examples
    assert all("cannot be read" in note for note in notes)
    assert len(notes) == 2  # a face of each kind


def test_other_faces_than_those_that_were_tested_are_not_shown(outputs):
    (file,) = outputs.glob("results/*/metrics.json")
    content = json.loads(file.read_text())
    content["run"]["test_faces"] = "others"
    file.write_text(json.dumps(content))
    examples, notes = illustrated(outputs)
    assert not examples
    assert "are not those that were tested" in notes[0]


def test_an_attack_that_makes_other_faces_now_is_not_shown(outputs):
    edit(outputs, lambda config: config["attack"]["sr_model"].update(mode="lanczos"))
    edit(outputs, lambda config: config["attack"].update(scale=4))
    edit(outputs, lambda config: config["attack"]["sr_model"].update(scale=4))
    examples, notes = illustrated(outputs)
    assert not examples
    assert "the attack makes another face" in notes[0]


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "sr_deepfake.attacks.h264.av.open",
        "sr_deepfake.attacks.cache.hashlib.sha256",
        "sr_deepfake.experiment.provenance.subprocess.run",
        "sr_deepfake.super_resolution.nowhere.Thing",
        "sr_deepfake.app.evaluation.write_provenance",
    ],
)
def test_a_stored_configuration_runs_nothing_but_attacks_of_the_package(target, outputs):
    edit(outputs, lambda config: config["attack"]["sr_model"].update(_target_=target))
    examples, notes = illustrated(outputs)
    assert not examples
    assert f"names '{target}', which is not of this version" in notes[0]


@pytest.mark.parametrize("part", ["attack", "data", "paths", "cache"])
def test_an_incomplete_configuration_is_told(part, outputs):
    edit(outputs, lambda config: config.pop(part))
    examples, notes = illustrated(outputs)
    assert not examples
    assert part in notes[0]


def test_results_without_provenance_are_told(outputs):
    (file,) = outputs.glob("results/*/provenance.json")
    file.unlink()
    assert "provenance.json" in illustrated(outputs)[1][0]
