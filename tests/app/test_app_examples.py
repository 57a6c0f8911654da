import json
import os

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from result_folders import read, write_results
from scored_faces import predictions
from stored_detector import stored_detector

from sr_deepfake.app.examples import Illustrator
from sr_deepfake.app.explanations import Explainer
from sr_deepfake.app.tested_faces import TestedFaces
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.images import read_face
from sr_deepfake.data.manifest import MANIFEST, SCHEMA, fingerprint, write_manifest
from sr_deepfake.detectors.explain import attention_maps, band_changes
from sr_deepfake.detectors.registry import load_detector, weights_of
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.metrics.spectrum import radial_power
from sr_deepfake.reporting.examples import FALSE_ALARM, MISSED, heated
from sr_deepfake.super_resolution.interpolation import Interpolation

SIDE, COUNT = 48, 8
ATTACK = {
    "_target_": "sr_deepfake.attacks.SuperResolutionAttack",
    "sr_model": {
        "_target_": "sr_deepfake.super_resolution.interpolation.Interpolation", "mode": "bicubic", "scale": 2,
    },
    "scale": 2,
}  # fmt: skip


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
    for index, face in enumerate(table.itertuples()):
        path = crops / "pngs" / f"{face.face_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))
        clean = read_face(path)
        table.loc[index, "ssim"] = float(ssim(clean[None].float() / 255, attacked(clean)))
        known = {"face_id": face.face_id, "video_id": face.video_id, "method": face.method, "split": "test"}
        known |= {"label": face.label, "side": SIDE, "frame": 0, "path": f"pngs/{face.face_id}.png"}
        rows.append({field.name: "" if field.type == "string" else 0 for field in SCHEMA} | known)
    write_manifest(rows, crops / MANIFEST)
    write_results(
        outputs, data="ffpp", faces=table, config={"attack": ATTACK}, test_faces=fingerprint(pd.DataFrame(rows)),
        crops={"folder": "/gone/outputs/faces/ffpp-c23", "outputs": "/gone/outputs"},
    )  # fmt: skip
    return outputs


def illustrated(outputs, count=2):
    (result,) = read(outputs)
    return Illustrator().of(result, count)


def detector_of(outputs):
    """A detector of these results, with random weights."""
    made = stored_detector(outputs / "made")
    (result,) = read(outputs)
    folder = outputs / "detectors" / result.detector
    folder.parent.mkdir()
    made.rename(folder)
    edit(outputs, lambda content: content["run"].update(detector_weights=weights_of(folder)), "metrics.json")
    return folder


def explained(outputs):
    (result,) = read(outputs)
    faces = TestedFaces()
    explainer = Explainer(faces)
    examples, notes = Illustrator(faces, explainer).of(result, 2)
    return result, examples, explainer.explain([result]), [*notes, *explainer.notes]


def test_a_detector_is_looked_into(outputs):
    folder = detector_of(outputs)
    before = everything(outputs.parent)
    result, examples, found, notes = explained(outputs)
    assert not notes
    assert everything(outputs.parent) == before
    device = "cuda" if torch.cuda.is_available() else "cpu"  # as the report takes it
    detector = load_detector(folder).to(device)
    for example in examples:
        before_and_after = (
            torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].to(device).float() / 255
            for picture in (example.clean, example.attacked)
        )
        maps = torch.cat([attention_maps(detector, face) for face in before_and_after])
        scaled = (maps / maps.max()).double().cpu().numpy()
        assert np.array_equal(example.heat, heated(example.clean, scaled[0]))
        assert np.array_equal(example.heat_attacked, heated(example.attacked, scaled[1]))
    assert [(spectrum.kind, spectrum.faces) for spectrum in found.spectra] == [
        ("pristine", 8),
        ("FaceSwap", 8),
    ]
    faces = [read_face(path) for path in sorted((outputs / "faces").rglob("*.png"))]
    clean = torch.stack(faces).float() / 255
    fakes = result.predictions["label"].to_numpy() == 1  # in the order of their names, as the files
    power = radial_power(clean)
    np.testing.assert_allclose(found.spectra[0].power["clean"], power[~fakes].mean(0))
    np.testing.assert_allclose(found.spectra[1].power["clean"], power[fakes].mean(0))
    assert "control" not in found.spectra[0].power  # the attack has no network that could be left out
    (change,) = found.changes
    detector.cpu()
    moved = band_changes(detector, clean, torch.cat([attacked(face) for face in faces])).double()
    np.testing.assert_allclose(change.fakes, moved[fakes].mean(0), atol=1e-5)
    np.testing.assert_allclose(change.pristine, moved[~fakes].mean(0), atol=1e-5)


def test_a_detector_that_is_gone_or_another_is_told_and_the_report_goes_on(outputs):
    _, examples, found, notes = explained(outputs)
    assert len(examples) == 4
    assert all(example.heat is None for example in examples)
    assert len(found.spectra) == 2  # the faces are there
    assert not found.changes
    assert len(notes) == 1
    assert "any more" in notes[0]
    folder = detector_of(outputs)
    edit(outputs, lambda content: content["run"].update(detector_weights="others"), "metrics.json")
    notes = explained(outputs)[-1]
    assert all(f"{folder} was trained anew since" in note for note in notes)


@pytest.mark.parametrize("damage", ["empty", "other names", "special", "program"])
def test_a_detector_that_cannot_be_loaded_is_told_in_a_line_and_the_report_goes_on(outputs, damage):
    folder = detector_of(outputs)
    file = folder / "best.ckpt"
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "program":
        settings = {"_target_": "sr_deepfake.detectors.external.onnx.OnnxDetector", "path": "a.onnx"}
        (folder / "elsewhere.json").write_text(json.dumps(settings))
    else:
        stored = torch.load(file, weights_only=True)
        if damage == "other names":
            stored["state_dict"] = {f"a.{name}": tensor for name, tensor in stored["state_dict"].items()}
        else:
            stored["hyper_parameters"]["_instantiator"] = "os.system"
        torch.save(stored, file)
    _, examples, found, notes = explained(outputs)
    assert len(examples) == 4
    assert all(example.heat is None for example in examples)
    assert not found.changes
    (note,) = notes
    assert "\n" not in note
    told = {"special": "names '_instantiator'", "program": "a program from elsewhere"}.get(damage, "since")
    assert told in note


def test_no_weights_are_looked_for_when_a_detector_is_loaded(outputs):
    """Whatever its folder, which may come from somebody else, says."""
    folder = detector_of(outputs)
    stored = torch.load(folder / "best.ckpt", weights_only=True)
    stored["hyper_parameters"] |= {"pretrained": "true", "weights": "/nowhere/weights.pth"}
    torch.save(stored, folder / "best.ckpt")
    assert load_detector(folder).weights == "random"


def edit(outputs, change, name="provenance.json"):
    (file,) = outputs.glob(f"results/*/{name}")
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_examples_show_the_face_and_what_the_attack_makes_of_it(outputs):
    before = everything(outputs.parent)
    examples, notes = illustrated(outputs)
    assert not notes
    assert [example.kind for example in examples] == [MISSED, MISSED, FALSE_ALARM, FALSE_ALARM]
    for example in examples:
        face = read_face(outputs / "faces" / "ffpp-c23" / "pngs" / f"{example.face_id}.png")
        assert np.array_equal(example.clean, face.permute(1, 2, 0).numpy())
        expected = (attacked(face)[0] * 255).round().to(torch.uint8)
        assert np.array_equal(example.attacked, expected.permute(1, 2, 0).numpy())
        assert (example.model, example.forgery) == ("resnet50", "FaceSwap")
    assert everything(outputs.parent) == before  # a report writes nothing but itself
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
    edit(outputs, lambda content: content["run"].update(test_faces="others"), "metrics.json")
    examples, notes = illustrated(outputs)
    assert not examples
    assert "are not those that were tested" in notes[0]


def test_an_attack_that_makes_other_faces_now_is_not_shown(outputs):
    edit(outputs, lambda content: content["config"]["attack"]["sr_model"].update(mode="lanczos", scale=4))
    edit(outputs, lambda content: content["config"]["attack"].update(scale=4))
    examples, notes = illustrated(outputs)
    assert not examples
    assert "the attack makes another face" in notes[0]


@pytest.mark.parametrize("part", ["config", "data"])
def test_an_incomplete_provenance_is_told(part, outputs):
    edit(outputs, lambda content: content.pop(part))
    examples, notes = illustrated(outputs)
    assert not examples
    assert "is missing or damaged" in notes[0]


# Folders from somebody else.


@pytest.mark.parametrize(
    "target",
    [
        "os.system", "builtins.eval", "sr_deepfake.attacks.h264.av.open", "sr_deepfake.attacks.cache.CachedAttack",
        "sr_deepfake.experiment.provenance.write_provenance", "sr_deepfake.super_resolution.nowhere.Thing",
        "lightning.Trainer", "sr_deepfake.tracking.loggers.wandb_logger",
    ],
)  # fmt: skip
def test_nothing_is_built_but_attacks_and_networks_of_conf(target, outputs):
    edit(outputs, lambda content: content["config"]["attack"]["sr_model"].update(_target_=target))
    examples, notes = illustrated(outputs)
    assert not examples
    assert f"names {target!r}, which conf/ does not" in notes[0]


@pytest.mark.parametrize("key", ["_args_", "_recursive_", "_convert_"])
def test_hydras_own_keys_are_refused(key, outputs):
    edit(outputs, lambda content: content["config"]["attack"].update({key: ["x"]}))
    assert f"has the key {key!r}" in illustrated(outputs)[1][0]


def test_no_interpolation_is_resolved(outputs, monkeypatch):
    monkeypatch.setenv("SECRET", "my-password")
    edit(outputs, lambda content: content["config"]["attack"]["sr_model"].update(mode="${oc.env:SECRET}"))
    examples, notes = illustrated(outputs)
    assert not examples
    assert "it is not resolved" in notes[0]
    assert "my-password" not in " ".join(notes)


def test_nothing_is_downloaded_or_written_to_a_folder_that_it_names(outputs, tmp_path):
    edsr = {
        "_target_": "sr_deepfake.super_resolution.edsr.edsr",
        "scale": 3,
        "cache": str(tmp_path / "planted"),
    }
    edit(outputs, lambda content: content["config"].update(attack=ATTACK | {"sr_model": edsr, "scale": 3}))
    before = everything(tmp_path)
    examples, notes = illustrated(outputs)
    assert not examples
    assert "are not there, and nothing is downloaded for a report" in notes[0]
    assert everything(tmp_path) == before
    assert not (tmp_path / "planted").exists()


def test_a_manifest_that_names_files_outside_its_folder_is_refused(outputs, tmp_path):
    manifest = outputs / "faces" / "ffpp-c23" / MANIFEST
    rows = pd.read_parquet(manifest)
    rows["path"] = [os.path.join("..", "..", "..", "elsewhere", name) for name in rows["path"]]
    rows.to_parquet(manifest)
    (tmp_path / "elsewhere").mkdir()
    (outputs / "faces" / "ffpp-c23" / "pngs").rename(tmp_path / "elsewhere" / "pngs")
    examples, notes = illustrated(outputs)
    assert not examples
    assert "names a file outside its folder" in notes[0]
