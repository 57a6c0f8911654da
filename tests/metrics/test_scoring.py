from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import structural_similarity

from sr_deepfake.metrics.predictions import COLUMNS
from sr_deepfake.metrics.scoring import score_faces


@dataclass
class Faces:
    faces: torch.Tensor
    rows: pd.DataFrame


def make_batches(sides=(24, 24, 48), size=3):
    random = np.random.default_rng(0)
    for number, side in enumerate(sides):
        names = [f"pristine/{number:03}/{index:04}" for index in range(size)]
        rows = pd.DataFrame({"face_id": names, "video_id": f"pristine/{number:03}", "method": "pristine"})
        faces = torch.from_numpy(random.integers(0, 256, (size, 3, side, side), dtype=np.uint8)).float() / 255
        rows = rows.assign(label=0, side=side, path="elsewhere.png", split="test")
        yield Faces(faces, rows.set_index(pd.Index([7, 3, 5][:size])))


def detector(faces):
    return 8 * faces.mean((1, 2, 3)) - 3.9


def darker(faces):
    return ((faces * 255 * 0.9).round() / 255).clamp(0, 1)


def test_every_face_is_scored_clean_and_attacked_as_a_plain_loop_does():
    table = score_faces(detector, darker, make_batches())
    assert tuple(table.columns) == COLUMNS
    position = 0
    for batch in make_batches():
        for face, (_, row) in zip(batch.faces, batch.rows.iterrows(), strict=True):
            scored = table.iloc[position]
            assert scored["face_id"] == row["face_id"]
            assert scored["side"] == face.shape[-1]
            clean, attacked = face.numpy().astype(np.float64), darker(face).numpy().astype(np.float64)
            for name, picture in (("score", clean), ("score_attacked", attacked)):
                assert scored[name] == pytest.approx(1 / (1 + np.exp(3.9 - 8 * picture.mean())), abs=1e-5)
            error = ((clean - attacked) ** 2).mean()
            assert scored["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
            levels = [np.rint(picture * 255).astype(np.uint8) for picture in (clean, attacked)]
            assert scored["ssim"] == pytest.approx(structural_similarity(*levels, channel_axis=0), abs=1e-6)
            position += 1
    assert position == len(table)


def test_without_an_attack_there_are_clean_scores_only():
    table = score_faces(detector, None, make_batches())
    assert table["score"].notna().all()
    assert table[["score_attacked", "ssim", "psnr", "psnr_wrapped"]].isna().all(axis=None)


def test_progress_is_told_after_each_batch():
    told = []
    score_faces(detector, None, make_batches(), progress=told.append)
    assert told == [3, 3, 3]


def test_confident_logits_stay_apart():
    logits = iter([torch.tensor([20.0, 25.0, 30.0])])
    table = score_faces(lambda _: next(logits), None, make_batches(sides=(24,)))
    assert table["score"].is_monotonic_increasing
    assert table["score"].is_unique


def test_the_precision_is_the_detectors_alone():
    seen = {}

    def watch(name, result):
        def call(faces):
            seen.setdefault(name, torch.is_autocast_enabled("cpu"))
            return result(faces)

        return call

    score_faces(
        watch("detector", detector),
        watch("attack", darker),
        make_batches(),
        autocast=lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    )
    assert seen == {"detector": True, "attack": False}


def test_no_gradient_is_kept():
    weight = torch.nn.Parameter(torch.ones(()))

    def trained(faces):
        logits = detector(faces) * weight
        assert not logits.requires_grad
        return logits

    assert len(score_faces(trained, darker, make_batches())) == 9


def test_no_batches_give_an_empty_table():
    table = score_faces(detector, None, [])
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda faces: detector(faces)[:, None], "not one logit a face"),
        (
            lambda faces: detector(faces) * torch.tensor([1, float("nan"), 1]),
            "NaN, first for the face pristine/000/0001",
        ),
    ],
)
def test_detectors_that_return_something_else_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        score_faces(wrong, None, make_batches(sides=(24,)))


def test_a_detector_in_training_mode_is_refused():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 24 * 24, 1), torch.nn.Flatten(0))
    with pytest.raises(ValueError, match="training mode"):
        score_faces(network, None, make_batches(sides=(24,)))
    assert len(score_faces(network.eval(), None, make_batches(sides=(24,)))) == 3


def test_rows_and_faces_must_match():
    batch = next(iter(make_batches()))
    batch.rows = batch.rows.iloc[:2]
    with pytest.raises(ValueError, match="3 faces and 2 rows"):
        score_faces(detector, None, [batch])
