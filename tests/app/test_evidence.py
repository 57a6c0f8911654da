"""What a test keeps, against the same figures by hand."""

from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from sr_deepfake.app.evidence import FACES, EvidenceWriter, _mean_power
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.data.faces import FaceBatch
from sr_deepfake.detectors import Detector
from sr_deepfake.detectors.explain import attention_maps, band_changes
from sr_deepfake.experiment.evidence import EVIDENCE, read_evidence
from sr_deepfake.metrics.similarity import ssim
from sr_deepfake.metrics.spectrum import RINGS, radial_power
from sr_deepfake.super_resolution.edsr import edsr
from sr_deepfake.super_resolution.interpolation import Interpolation

SIDE = 48
CLEAN = torch.tensor([2.0, 2.0, 2.0, 2.0, -2.0, -2.0, -2.0, 2.0])  # logits; the last face was wrong before
ATTACKED = torch.tensor([-2.0, -3.0, -1.0, 1.0, 2.0, -1.0, 1.0, 3.0])
ROWS = pd.DataFrame(
    {
        "face_id": [f"FaceSwap/v{n}/0" for n in (0, 0, 1, 2)] + [f"pristine/p{n}/0" for n in (0, 1, 2, 3)],
        "video_id": [f"FaceSwap/v{n}" for n in (0, 0, 1, 2)] + [f"pristine/p{n}" for n in (0, 1, 2, 3)],
        "method": ["FaceSwap"] * 4 + ["pristine"] * 4,
        "label": [1] * 4 + [0] * 4,
    }
)  # fmt: skip
ROWS["face_id"] += [str(n) for n in range(8)]


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    return Detector("test_resnet", image_size=SIDE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def faces():
    random = np.random.default_rng(0)
    small = random.integers(0, 255, (8, 12, 12, 3), dtype=np.uint8)
    large = [cv2.resize(each, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for each in small]
    return torch.from_numpy(np.stack(large)).permute(0, 3, 1, 2).float() / 255


def kept(folder, faces, detector, attack=None, rows=ROWS, clean=CLEAN, attacked=ATTACKED, batch=3, **options):
    """Let a test run through the callback, in batches; returns what it kept."""
    attack = attack or SuperResolutionAttack(Interpolation())
    writer = EvidenceWriter(folder, attack, **options)
    trainer = SimpleNamespace(datamodule=SimpleNamespace(rows=lambda split: rows))
    writer.on_test_start(trainer, detector)
    with torch.inference_mode():
        for part in torch.arange(len(rows)).split(batch):
            of_part = rows.iloc[part.tolist()].reset_index(drop=True)
            labels = torch.tensor(of_part["label"].tolist(), dtype=torch.float32)
            given = FaceBatch(faces[part], labels, of_part, attack(faces[part]))
            writer.on_test_batch_end(
                trainer, detector, {"logit": clean[part], "logit_attacked": attacked[part]}, given, 0
            )
        writer.on_test_epoch_end(trainer, detector)
    return read_evidence(folder)


def test_one_face_a_video_is_kept_of_those_that_turned_the_furthest_first(tmp_path, faces, detector):
    found = kept(tmp_path, faces, detector)
    assert [(face.kind, face.face_id) for face in found.flipped] == [
        ("missed", "FaceSwap/v0/01"), ("missed", "FaceSwap/v1/02"),
        ("false alarm", "pristine/p0/04"), ("false alarm", "pristine/p2/06"),
    ]  # fmt: skip
    first = found.flipped[0]
    assert first.score == pytest.approx(float(torch.sigmoid(CLEAN[1])))
    assert first.score_attacked == pytest.approx(float(torch.sigmoid(ATTACKED[1])))
    attacked = SuperResolutionAttack(Interpolation())(faces[1:2])
    assert first.ssim == pytest.approx(float(ssim(faces[1:2], attacked)))
    for name, face in ((first.clean, faces[1]), (first.attacked, attacked[0])):
        stored = cv2.imread(str(tmp_path / EVIDENCE / name))[:, :, ::-1]
        assert np.array_equal(stored, (face * 255).round().byte().permute(1, 2, 0).numpy())
    assert len(kept(tmp_path, faces, detector, count=1).flipped) == 2
    assert not found.notes


def test_heat_maps_of_a_pair_are_on_one_scale(tmp_path, faces, detector):
    first = kept(tmp_path, faces, detector).flipped[0]
    pair = faces[1:2], SuperResolutionAttack(Interpolation())(faces[1:2])
    maps = torch.cat([attention_maps(detector, face) for face in pair])
    expected = (maps / maps.max() * 255).round().byte().numpy()
    for name, heat in zip((first.heat, first.heat_attacked), expected, strict=True):
        stored = cv2.imread(str(tmp_path / EVIDENCE / name), cv2.IMREAD_GRAYSCALE)
        assert np.abs(stored.astype(int) - heat).max() <= 1
    plain = kept(tmp_path, faces, detector, explain=False)
    assert plain.flipped[0].heat == ""
    assert not plain.spectra
    assert not list((tmp_path / EVIDENCE).glob("*heat*"))  # of the test before


def test_spectra_and_what_moves_the_detector_are_means_over_the_faces(tmp_path, faces, detector):
    attack = SuperResolutionAttack(edsr())
    found = kept(tmp_path, faces, detector, attack)
    attacked = attack(faces)
    assert [(spectrum.kind, spectrum.faces) for spectrum in found.spectra] == [("pristine", 4), ("FaceSwap", 4)]
    sets = {"clean": faces, "attacked": attacked, "control": SuperResolutionAttack(Interpolation())(faces)}
    for spectrum, rows in zip(found.spectra, (slice(4, 8), slice(0, 4)), strict=True):
        assert spectrum.power.keys() == sets.keys()
        for name, pictures in sets.items():
            np.testing.assert_allclose(spectrum.power[name], radial_power(pictures[rows]).mean(0), rtol=1e-5)
    moved = band_changes(detector, faces, attacked).double()
    np.testing.assert_allclose(found.bands["fake"], moved[:4].mean(0), atol=1e-5)
    np.testing.assert_allclose(found.bands["pristine"], moved[4:].mean(0), atol=1e-5)


def test_frequencies_are_of_as_many_videos_as_there_are(tmp_path, detector):
    rows = pd.concat([ROWS] * 10, ignore_index=True)
    rows["video_id"] += [f"-{n // 16}" for n in range(80)]
    rows["face_id"] = rows["video_id"] + [f"/{n}" for n in range(80)]
    faces = torch.rand(80, 3, SIDE, SIDE)
    logits = torch.zeros(80)
    found = kept(tmp_path, faces, detector, rows=rows, clean=logits, attacked=logits, batch=80)
    assert {spectrum.faces for spectrum in found.spectra} == {FACES}


def test_a_detector_that_cannot_be_explained_is_named_once(tmp_path, faces):
    class Opaque(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, images):
            raise RuntimeError("no gradient here\nat all")

    found = kept(tmp_path, faces, Opaque())
    assert len(found.flipped) == 4
    assert found.flipped[0].heat == ""
    assert len(found.spectra) == 2
    assert not found.bands
    assert len(found.notes) == 2
    assert found.notes[0].startswith("Grad-CAM skipped: ")


def test_nothing_is_written_where_nothing_is_attacked(tmp_path, faces, detector):
    writer = EvidenceWriter(tmp_path, None)
    trainer = SimpleNamespace(datamodule=SimpleNamespace(rows=lambda split: ROWS))
    writer.on_test_start(trainer, detector)
    writer.on_test_batch_end(trainer, detector, {"logit": CLEAN}, FaceBatch(faces, torch.ones(8), ROWS), 0)
    writer.on_test_epoch_end(trainer, detector)
    assert not list(tmp_path.iterdir())


def test_rings_that_small_faces_do_not_have_lie_between_their_neighbours():
    power = _mean_power([torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(seed)) for seed in range(3)])
    assert len(power) == RINGS
    assert np.isfinite(power).all()
    whole = _mean_power([torch.rand(3, 96, 96)])
    np.testing.assert_allclose(whole, radial_power(torch.rand(1, 3, 96, 96))[0], rtol=1.0)
