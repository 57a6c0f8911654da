"""Reports for the tests of the page, made of folders of results as `evaluate` writes them."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image
from result_folders import write_results
from scored_faces import predictions

from sr_deepfake.experiment.evidence import EVIDENCE, Evidence, FlippedFace, Spectrum, write_index
from sr_deepfake.metrics.spectrum import BANDS, RINGS
from sr_deepfake.reporting.collect import Unread, collect
from sr_deepfake.reporting.grid import GridSelection
from sr_deepfake.reporting.published import METHODS, MODELS
from sr_deepfake.reporting.report import Missing, Report, make_report

MAKE = "python -m sr_deepfake.train -m model=resnet50,xception forgery=FaceSwap,Face2Face attack=sr"
FALL = np.linspace(100, 1, RINGS)


def write_evidence(folder, faces=("missed", "false alarm"), side=96, seed=0, drop=0.6, note=""):
    """Faces of noise whose decision flipped, with heat maps; spectra; what moves the detector."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, side)
    (folder / EVIDENCE).mkdir(exist_ok=True)
    flipped = []
    for number, kind in enumerate(faces):
        clean = (ramp[:, None, None] + random.normal(0, 8, (side, side, 3))).clip(0, 255).astype(np.uint8)
        attacked = (clean.astype(int) + random.integers(-6, 7, clean.shape)).clip(0, 255).astype(np.uint8)
        heat = np.tile(ramp, (side, 1)).T.astype(np.uint8)
        pictures = {"clean": clean, "attacked": attacked, "heat": heat, "heat_attacked": heat // 2}
        files = {name: f"{number}-{name}.png" for name in pictures}
        for name, picture in pictures.items():
            Image.fromarray(picture).save(folder / EVIDENCE / files[name], compress_level=1)  # noise takes long
        scores = (0.9, 0.9 - drop) if kind == "missed" else (0.1, 0.1 + drop)
        facts = {"face_id": f"{kind}/{number:04d}", "score": scores[0], "score_attacked": scores[1], "ssim": 0.97}
        flipped.append(FlippedFace(kind=kind, **facts, **files))
    pristine = {"clean": tuple(FALL), "attacked": tuple(FALL / 10), "control": tuple(FALL / 100)}
    spectra = [
        Spectrum(kind="pristine", faces=24, power=pristine),
        Spectrum(kind="FaceSwap", faces=20, power={"clean": tuple(FALL * 2), "attacked": tuple(FALL)}),
    ]
    bands = {"fake": (-2.0, *(-0.5 * n for n in range(len(BANDS)))), "pristine": (0.05, *[0.1] * len(BANDS))}
    write_index(
        folder, Evidence(flipped=tuple(flipped), spectra=tuple(spectra), bands=bands, notes=(note,) if note else ())
    )


def reported(outputs, **options) -> Report:
    collected = collect([outputs])
    return make_report(collected, options.pop("requested", GridSelection()), **options)


def small(outputs) -> Report:
    """A report with one of everything."""
    first = write_results(
        outputs, faces=predictions((0.05, 0.6), (0.05, 0.1), 96), overrides=["model=resnet50"], config={"seed": 0},
        resamples=100,
    )  # fmt: skip
    write_results(outputs, forgery="Face2Face", faces=predictions((0.1, 0.1), (0.1, 0.1), 96), resamples=100)
    write_evidence(first)
    report = reported(outputs, requested=GridSelection(methods=["FaceSwap", "Face2Face", "Deepfakes"]))
    return dataclasses.replace(
        report,
        unread=[Unread(Path("outputs/results/broken"), "metrics.json is missing")],
        notes=["Two runs were left out. See . and outputs/results/broken."],
        missing=Missing("2 of the 3 detectors of the grid are shown; the others are made by:", MAKE),
        versions={"torch": "2.14.1"},
        command="python -m sr_deepfake.report",
        made="2026-11-23T22:00:00+00:00",
    )


def full(outputs, side=240) -> Report:
    """The paper's grid less one detector, with examples of every other: pictures of the size of FaceForensics++'s."""
    random = np.random.default_rng(7)
    detectors = [(model, method) for model in MODELS for method in METHODS][:-1]
    for index, (model, method) in enumerate(detectors):
        low, high = sorted(random.uniform(0.01, 0.4, 2)) if index % 4 else (0.3, 0.02)
        faces = predictions((low, high), tuple(random.uniform(0.02, 0.3, 2)), 280)
        folder = write_results(
            outputs, model=model, forgery=method, faces=faces, data="ffpp", protocol="paper", resamples=100
        )
        write_evidence(
            folder, ("missed", "missed", "false alarm", "false alarm"), side, index, random.uniform(0.4, 0.8)
        )
    return dataclasses.replace(reported(outputs), command="python -m sr_deepfake.report")


def written(report: Report, folder: Path) -> Path:
    """Write the report; returns the page."""
    from sr_deepfake.reporting.writing import write_report

    write_report(folder, report)
    return folder / "index.html"
