"""Folders of results for tests of the report, as `evaluate` writes them."""

import json
from collections.abc import Sequence
from pathlib import Path

from scored_faces import predictions

from sr_deepfake.experiment.provenance import write_provenance
from sr_deepfake.experiment.results import AttackInfo, Result, RunInfo, read_result, write_metrics
from sr_deepfake.metrics.predictions import write_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.metrics.thresholds import choose_threshold
from sr_deepfake.reporting.collect import collect
from sr_deepfake.reporting.grid import GridSelection, ReportGrid, make_grid
from sr_deepfake.system.files import digest

CAPTION = "Illustration only: generated people."


def attack_of(name: str) -> AttackInfo:
    """An attack of a name such as "sr-edsr-x2", "bicubic-x2", "jpeg-q15", "none"."""
    if name == "none":
        return AttackInfo()
    kind, _, strength = name.rpartition("-")
    scale = int(strength[1:]) if strength.startswith("x") else 1
    network = kind.removeprefix("sr-") if scale > 1 else ""
    return AttackInfo(
        name=name,
        kind=kind or name,
        strength=strength if kind else "",
        network=network,
        scale=scale,
        digest=digest(name)[:16],
    )


def run_info(model="resnet50", forgery="FaceSwap", attack="sr-edsr-x2", **values) -> RunInfo:
    """What results of a detector that was trained and tested on a method are of."""
    trained_on = values.pop("trained_on", forgery)
    data = values.pop("data", "sample")
    defaults = {
        "trained_data": data, "trained_faces": 100, "test_faces": "faces", "val_faces": "validation", "seed": 0,
        "detector": f"{model}-{trained_on}-0123456789", "recipe": f"{model}-{trained_on}", "weights": "w", "protocol": "quick",
        "device": "cpu", "illustration": CAPTION if data == "sample" else "",
    }  # fmt: skip
    if values.get("defence"):
        defaults["defence_attack"] = values["defence"].split(" ")[0]
    named = {"model": model, "forgery": forgery, "trained_on": trained_on, "attack": attack_of(attack), "data": data}
    return RunInfo(**named | defaults | values)


_METRICS = {}  # the same faces are in many tests


def _metrics(faces, resamples, threshold):
    key = (digest(faces.to_json()), resamples, threshold)
    if key not in _METRICS:
        _METRICS[key] = run_metrics(faces, choose_threshold(faces) if threshold else (), resamples)
    return _METRICS[key]


def write_results(
    outputs, faces=None, started="2026-01-01T00:00:00+00:00", overrides=(), config=None, choices=None, program="train",
    resamples=20, threshold=True, digits="", **run,
) -> Path:  # fmt: skip
    """Write a folder of results, and return it."""
    table = predictions() if faces is None else faces
    info = run_info(**run)
    folder = Path(outputs) / "results" / f"{info.folder_name}{digits}"
    write_predictions(folder / "predictions.parquet", table)
    write_metrics(folder, info, _metrics(table, resamples, threshold))
    provenance = {
        "program": program, "overrides": list(overrides), "started": started, "config": config or {},
        "job": f"python -m sr_deepfake.{program} {' '.join(overrides)}".strip(),
        "choices": choices or {"attack": "sr", "sr_model": "edsr"}, "data": {"name": info.data}, "versions": {"torch": "2"},
    }  # fmt: skip
    write_provenance(folder, provenance)
    return folder


def result_of(outputs, **options) -> Result:
    """Results that were written to a folder and read."""
    return read_result(write_results(outputs, **options))


def read_all(outputs) -> Sequence[Result]:
    """All results below a folder, as a report reads them."""
    return collect([outputs]).results


def grid_of(outputs, **requested) -> ReportGrid:
    """The grid of all results below a folder."""
    return make_grid(read_all(outputs), GridSelection(**requested))


def changed_metrics(folder: Path, change) -> None:
    """Change the content of `metrics.json`."""
    content = json.loads((folder / "metrics.json").read_text())
    change(content)
    (folder / "metrics.json").write_text(json.dumps(content))
