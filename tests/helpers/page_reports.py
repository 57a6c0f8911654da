"""Reports for the tests of the page: as large as the paper's grid, or with names that try to be markup."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from sr_deepfake.experiment.results import Result
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.collect import Unread
from sr_deepfake.reporting.examples import FALSE_ALARM, MISSED, Example, heated
from sr_deepfake.reporting.figures.style import ReportFigure, drawn
from sr_deepfake.reporting.grid import METHODS, MODELS, Entry, ReportGrid
from sr_deepfake.reporting.report import Missing, Report
from sr_deepfake.reporting.table import ReportTable

MAKE = "python -m sr_deepfake.train -m model=resnet50,xception forgery=FaceSwap,Face2Face attack=sr"
VERSIONS = {"torch": "2.14.1", "timm": "1.0.31", "sr-deepfake": "0.1.0"}


def predictions(missed=(0.05, 0.2), alarms=(0.05, 0.1), videos=40, frames=2, seed=0):
    """Scores whose FNR and FPR, clean and attacked, are near the given ones; a video's frames are alike."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], videos)
    uniform = rng.random(2 * videos)  # the same for clean and attacked: what is missed clean stays missed

    def scores(setup):
        wrong = uniform < np.where(labels == 1, missed[setup], alarms[setup])
        return np.where(wrong == (labels == 1), 0.3, 0.8) + rng.uniform(-0.15, 0.15, 2 * videos)

    clean, attacked = (np.repeat(scores(setup), frames) for setup in (0, 1))
    return pd.DataFrame(
        {
            "face_id": [f"face/{index:05d}" for index in range(2 * videos * frames)],
            "video_id": np.repeat([f"{index:04d}" for index in range(2 * videos)], frames),
            "method": np.repeat(np.where(labels == 1, "FaceSwap", "pristine"), frames),
            "label": np.repeat(labels, frames),
            "side": 192,
            "score": clean,
            "score_attacked": attacked,
            "ssim": rng.uniform(0.95, 0.99, len(clean)),
            "psnr": rng.uniform(35, 40, len(clean)),
            "ssim_224": 0.98,
            "psnr_224": 38.0,
            "psnr_224_wrapped": 38.0,
        }
    )


def result(model="resnet50", forgery="FaceSwap", attack="sr-edsr-x2", name=None, **scored):
    table = predictions(**scored)
    name = name or f"{model}-{forgery}-0123456789-{attack}-abcdef"
    run = {
        "model": model, "trained_on": forgery, "forgery": forgery, "attack": attack, "data": "ffpp-c23",
        "trained_data": "ffpp-c23",
        "protocol": "paper", "illustration": "", "defence": "none", "detector": f"{model}-{forgery}-0123456789",
        "detector_fingerprint": "0123456789", "attack_fingerprint": "fedcba9876543210", "precision": "bf16-mixed",
    }  # fmt: skip
    provenance = {
        "job": f"python -m sr_deepfake.train model={model} forgery={forgery} attack=sr",
        "config": {"attack": {"label": attack, "scale": 2}, "model": {"name": model}},
        "git": {"commit": "f7fbcc4538d026c3bc17157f4f32aa07c84be197", "changed": True},
        "started": "2026-11-23T19:37:22+00:00",
        "seconds": 474.4,
        "device": "cpu, bf16-mixed",
        "versions": VERSIONS,
    }
    metrics = {"run": run, **run_metrics(table, resamples=200)}
    return Result(Path("outputs/results") / name, run, metrics, provenance, table)


def entry(model="resnet50", forgery="FaceSwap", **scored):
    found = result(model, forgery, **scored)
    return Entry(model, forgery, found, found, p_values={"fnr": 0.004, "fpr": 1.0})


def missing(model="xception", forgery="NeuralTextures"):
    return Entry(model, forgery)


def grid(entries):
    models, methods = (
        list(dict.fromkeys(names)) for names in zip(*((p.model, p.forgery) for p in entries), strict=True)
    )
    return ReportGrid("ffpp-c23", "paper", "sr-edsr-x2", models, methods, entries)


def table(rows=(("resnet50", "9.5*"), ("swin", "10.25"), ("xception", None), ("lite", "-3.0***"))):
    return ReportTable(
        "table_1", "Table 1: all faces attacked", ["Model", "FNR"], rows, caption="Rates in %."
    )


def example(
    model="resnet50",
    forgery="FaceSwap",
    kind=MISSED,
    face_id="FaceSwap/000_001/0000",
    side=96,
    seed=0,
    drop=0.6,
):
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, side)
    clean = (ramp[:, None, None] + rng.normal(0, 8, (side, side, 3))).clip(0, 255).astype(np.uint8)
    attacked = (clean.astype(int) + rng.integers(-6, 7, clean.shape)).clip(0, 255).astype(np.uint8)
    difference = (128 + 4 * (attacked.astype(int) - clean)).clip(0, 255).astype(np.uint8)
    scores = (0.9, 0.9 - drop) if kind == MISSED else (0.1, 0.1 + drop)
    heat = [heated(picture, np.tile(ramp / 200, (side, 1)).T) for picture in (clean, attacked)]
    return Example("result", model, forgery, kind, face_id, *scores, clean, attacked, difference, *heat)


def figure(name="roc", points=5):
    rng = np.random.default_rng(0)
    return ReportFigure(
        name,
        "ROC curves",
        "Solid: clean. Dashed: attacked.",
        drawn(lambda figure: figure.subplots().plot(rng.random(points), rng.random(points), "."), 2),
    )


def small(**changed):
    """A report with one of everything."""
    entries = [
        entry(missed=(0.05, 0.4)),
        entry(forgery="Face2Face", alarms=(0.1, 0.1), missed=(0.1, 0.1)),
        missing("resnet50"),
    ]
    report = Report(
        results=[found.attacked for found in entries if found.attacked],
        grid=grid(entries),
        tables=[table()],
        figures=[figure()],
        examples=[example(), example(kind=FALSE_ALARM, face_id="pristine/007/0003", seed=1)],
        unread=[Unread(Path("outputs/results/broken"), "metrics.json is missing")],
        notes=["Two runs were left out."],
        missing=Missing("2 of the 3 detectors of the grid are shown; the others are made by:", MAKE),
        illustration="Illustration only: generated people.",
        versions=VERSIONS,
        command="python -m sr_deepfake.report",
        made="2026-11-23T22:00:00+00:00",
    )
    return dataclasses.replace(report, **changed)


def full(side=240):
    """The paper's grid, clean and attacked, with examples of every detector: pictures of the size of FF++'s."""
    rng = np.random.default_rng(7)
    entries = []
    for index, (model, forgery) in enumerate((model, forgery) for model in MODELS for forgery in METHODS):
        if index == 14:
            entries.append(missing(model, forgery))
            continue
        low, high = sorted(rng.uniform(0.01, 0.25, 2)) if index % 4 else (0.1, 0.02)
        entries.append(
            entry(
                model,
                forgery,
                missed=(low, high),
                alarms=tuple(rng.uniform(0.02, 0.2, 2)),
                videos=140,
                seed=index,
            )
        )
    rows = [
        [shown.model, shown.forgery, "✓" if setup else "×", *(f"{rng.uniform(0, 100):.1f}" for _ in range(6))]
        for shown in entries
        for setup in (0, 1)
    ]
    columns = [
        "Model",
        "Forgery Method",
        "SR",
        "FNR ↓",
        "FPR ↓",
        "Recall ↑",
        "Precision ↑",
        "AUC ↑",
        "Accuracy ↑",
    ]
    tables = [
        ReportTable(
            f"table_{number}", f"Table {number}", columns, rows, text_columns=3, group_by=2, rules=(10, 20)
        )
        for number in (1, 2, 3)
    ]
    results = [found.attacked for found in entries if found.attacked]
    clean = [
        dataclasses.replace(result, folder=Path(f"{result.folder}-none"), run=result.run | {"attack": "none"})
        for result in results
    ]
    examples = [
        example(
            found.model,
            found.forgery,
            kind,
            f"{found.forgery}/{number:03d}",
            side=side,
            seed=number,
            drop=rng.uniform(0.4, 0.8),
        )
        for found in entries
        for kind in (MISSED, FALSE_ALARM)
        for number in range(2)
    ]
    figures = [figure(f"figure_{index}", 800) for index in range(12)]
    return Report(
        results + clean,
        grid(entries),
        tables,
        figures,
        examples,
        versions=VERSIONS,
        command="python -m sr_deepfake.report",
    )
