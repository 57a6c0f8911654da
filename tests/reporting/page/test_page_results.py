import dataclasses
import json

import numpy as np
import page_reports

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.page.results import METRICS, result_details


def test_everything_behind_a_number_is_told():
    result = page_reports.result(missed=(0.05, 0.4))
    shown = result_details(result, 7)
    assert (shown.id, shown.title) == ("result-7", "resnet50 on FaceSwap, attack sr-edsr-x2")
    assert shown.command == "python -m sr_deepfake.train model=resnet50 forgery=FaceSwap attack=sr"
    assert (
        shown.known["Git commit"]
        == "f7fbcc4538d026c3bc17157f4f32aa07c84be197, with changes that were not committed"
    )
    assert shown.known["Detector's fingerprint"] == "0123456789"
    assert shown.known["Attack's fingerprint"] == "fedcba9876543210"
    assert shown.known["Faces"] == "160 of 80 videos: 80 pristine, 80 fake"
    assert shown.known["Intervals"] == "95 %, 200 resamples of videos, seed 0"
    assert shown.versions == page_reports.VERSIONS
    assert json.loads(shown.config) == result.config


def test_all_figures_are_there_with_their_intervals():
    result = page_reports.result(missed=(0.05, 0.4))
    shown = result_details(result, 1)
    metrics = result.metrics
    assert [name for name, _ in shown.rows] == list(METRICS.values())
    for (_, figures), metric in zip(shown.rows, METRICS, strict=True):
        assert figures[0][0] == f"{100 * metrics['clean'][metric]:.1f}"
        assert figures[1][0] == f"{100 * metrics['both'][metric]:.1f}"
        low, high = metrics["intervals"]["both"][metric]
        assert figures[1][1] == f"{100 * low:.1f} to {100 * high:.1f}"
        assert float(figures[2][0].replace("−", "-")) == round(100 * metrics["changes"]["both"][metric], 1)
    fnr, both = metrics["clean"]["fnr"], metrics["both"]["fnr"]
    assert shown.gist.startswith(f"FNR {100 * fnr:.1f} → {100 * both:.1f}, FPR ")


def test_results_that_know_little_tell_what_they_know():
    result = page_reports.result()
    metrics = run_metrics(result.predictions.assign(score_attacked=np.nan, ssim=np.nan, psnr=np.nan), 20)
    run = result.run | {"forgery": "Deepfakes", "defence": "sr p=0.5", "attack": "none"}
    bare = dataclasses.replace(result, provenance={}, run=run, metrics={"run": run, **metrics})
    shown = result_details(bare, 1)
    assert shown.title == "resnet50 on FaceSwap, tested on Deepfakes, defence sr p=0.5, attack none"
    assert (shown.command, shown.config, shown.versions, shown.columns) == ("", "", {}, ["Clean"])
    assert "Git commit" not in shown.known
    assert "→" not in shown.gist
