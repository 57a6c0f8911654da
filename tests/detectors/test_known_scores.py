"""Scores that a detector gave before."""

import pandas as pd
import pytest
import torch
from face_crops import write_faces
from small_training import tiny_data, tiny_detector, tiny_trainer

from sr_deepfake.attacks import BlurAttack, JpegAttack
from sr_deepfake.attacks.fingerprint import describe_attack
from sr_deepfake.detectors.callbacks import PredictionWriter
from sr_deepfake.detectors.scores import KnownScores
from sr_deepfake.system.files import digest

COUNT = 6  # test faces of a class


@pytest.fixture
def score(tmp_path):
    """Tests a detector under an attack; returns its predictions and how many faces went through the network."""
    detector = tiny_detector().eval()
    passed = []
    detector.backbone.register_forward_pre_hook(lambda module, inputs: passed.append(len(inputs[0])))

    def run(attack, method="FaceSwap", read=True):
        passed.clear()
        folder = tmp_path / method
        if not folder.exists():  # the pristine faces are the same for every method
            write_faces(folder, {"train": 2, "val": 4, "test": COUNT}, method)
            faces = pd.read_parquet(folder / "faces.parquet")
            own = faces["face_id"].str.startswith(method)
            faces.loc[own, "sha256"] = faces["sha256"].str[:-10] + method[:10].ljust(10)
            faces.to_parquet(folder / "faces.parquet")
        data = tiny_data(folder, forgery=method, attack=attack)
        detector.known = KnownScores(tmp_path / "scores", digest(describe_attack(attack, torch.device("cpu"))), read)
        trainer = tiny_trainer(callbacks=[PredictionWriter(tmp_path / "p.parquet")])
        trainer.test(detector, datamodule=data, verbose=False)
        trainer.predict(detector, datamodule=data)
        detector.known.save()
        return pd.read_parquet(tmp_path / "p.parquet"), sum(passed)

    return run


def test_clean_and_validation_faces_are_scored_once_whatever_attacks_and_methods_follow(score):
    first, passed = score(JpegAttack(15))
    assert passed == 4 * COUNT + 8  # test faces clean and attacked, faces for validation
    other, passed = score(BlurAttack(2.0))
    assert passed == 2 * COUNT  # the attacked ones
    again, passed = score(JpegAttack(15))
    assert passed == 0
    pd.testing.assert_frame_equal(again, first, check_exact=True)
    fresh, passed = score(BlurAttack(2.0), read=False)
    assert passed == 4 * COUNT + 8
    pd.testing.assert_frame_equal(other, fresh, check_exact=True)  # whatever was known
    _, passed = score(JpegAttack(15), "Deepfakes")
    assert passed == 2 * COUNT + 4  # the fakes, clean and attacked, and those for validation


def test_a_batch_is_known_whole_or_not_at_all_and_a_damaged_file_is_no_error(tmp_path):
    rows = pd.DataFrame({"sha256": ["a", "b"], "side": 48, "label": 1})
    known = KnownScores(tmp_path, None)
    known.keep(rows, False, torch.tensor([1.5, 2.5]))
    known.keep(rows, True, torch.tensor([1.0, 2.0]))  # an attack whose faces depend on each other is not remembered
    known.save()
    other = KnownScores(tmp_path, "digest")
    assert other.find(rows, False).tolist() == [1.5, 2.5]
    assert other.find(rows[:1], False) is None  # of another batch, whose last bits may be others
    assert other.find(pd.concat([rows[:1], rows[1:].assign(sha256="c")]), False) is None
    assert other.find(rows.assign(side=24), False) is None
    assert other.find(rows, True) is None
    (tmp_path / "clean.parquet").write_bytes(b"damaged")
    assert KnownScores(tmp_path, None).find(rows, False) is None
