import time

import numpy as np
import pytest
import wandb
from page_reports import write_evidence
from result_folders import write_results
from scored_faces import predictions
from sklearn.metrics import roc_auc_score
from wandb_file import read_run

from sr_deepfake.experiment.results import read_result
from sr_deepfake.tracking.wandb import artifact_name, log_results, roc_curves


def test_pictures_are_in_the_run(tmp_path):
    folder = write_results(tmp_path)
    write_evidence(folder, side=24)
    with wandb.init(mode="offline", dir=tmp_path, project="test") as run:
        log_results(run, read_result(folder))
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    deadline = time.monotonic() + 20  # W&B's service writes on its own, at the latest when the run has ended
    while not {"test/examples/missed", "test/examples/false_alarm"} <= (history := read_run(file).history).keys():
        assert time.monotonic() < deadline, sorted(history)
        time.sleep(0.2)
    for kind, caption in (("missed", "clean 0.90, attacked 0.30"), ("false_alarm", "clean 0.10, attacked 0.70")):
        (pictures,) = history[f"test/examples/{kind}"]
        assert (pictures["width"], pictures["height"], pictures["count"]) == (48, 24, 1)
        assert pictures["captions"] == [f"{kind.replace('_', ' ')}/000{int(kind != 'missed')}: {caption}"]


@pytest.mark.parametrize("setup", ["clean", "both"])
def test_the_area_under_a_whole_curve_is_that_of_scikit_learn(setup):
    faces = predictions()
    curve = roc_curves(faces, points=10_000)
    curve = curve[curve["setup"] == setup]
    scores = faces["score" if setup == "clean" else "score_attacked"]
    area = np.trapezoid(curve["tpr"], curve["fpr"])
    assert area == pytest.approx(roc_auc_score(faces["label"], scores), abs=1e-6)
    short = roc_curves(faces, points=5)
    assert short.groupby("setup").size().max() <= 5
    assert short.groupby("setup")["tpr"].max().tolist() == [1.0] * 3


def test_names_of_artifacts_are_what_wandb_takes():
    assert artifact_name("a/b: <c>" + "x" * 200).endswith("x" * 100)
    assert len(artifact_name("ü" * 300)) == 128
