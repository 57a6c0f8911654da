"""Folders of results for tests of the report, as `evaluate` writes them."""

import json
from pathlib import Path

from scored_faces import predictions

from sr_deepfake.experiment.results import Result, write_metrics
from sr_deepfake.metrics.predictions import write_predictions
from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.collect import collect

CAPTION = "Illustration only: generated people."


def write_results(
    outputs,
    model="resnet50",
    forgery="FaceSwap",
    attack="sr-edsr-x2",
    data="sample",
    trained_on=None,
    trained_data=None,
    protocol="quick",
    faces=None,
    config=None,
    overrides=(),
    started="2026-01-01T00:00:00+00:00",
    fingerprint="0123456789",
    digits="abcdef",
    test_faces="none",
    resamples=20,
    program="train",
    choices=None,
    defence=None,
    recipe="0",
    seed=0,
    frames=None,
    crops=None,
    validation=None,
):
    """Write a folder of results and return it."""
    table = predictions() if faces is None else faces
    detector = f"{model}-{trained_on or forgery}-{fingerprint}"
    folder = outputs / "results" / f"{detector}-{attack}-{digits}"
    run = {
        "model": model, "forgery": forgery, "trained_on": trained_on or forgery,
        "trained_data": trained_data or data, "attack": attack,
        "data": data,
        "protocol": protocol, "detector": f"outputs/detectors/{detector}", "recipe": recipe, "seed": seed,
        "illustration": CAPTION if data == "sample" else "", "test_faces": test_faces, "frames": frames,
        "defence": defence or "none", "defence_attack": defence.split(" ")[0] if defence else None,
        "limit_test_batches": 1.0,
    } | attack_parts(attack)  # fmt: skip
    write_predictions(folder / "predictions.parquet", table)
    write_metrics(
        folder / "metrics.json", {"run": run, **run_metrics(table, resamples, validation=validation)}
    )
    provenance = {
        "program": program, "overrides": list(overrides), "job": f"python -m sr_deepfake.{program}", "started": started,
        "config": config or {}, "choices": choices or {"attack": "sr", "sr_model": "edsr"},
        "data": {"name": data, **(crops or {})},
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def attack_parts(attack):
    """What `evaluate` says of an attack beside its name."""
    network, _, scale = attack.removeprefix("sr-").partition("-x")
    if scale.isdigit():
        kind, strength, scale = attack.rpartition("-x")[0], f"x{scale}", scale
        return {
            "attack_kind": kind,
            "attack_strength": strength,
            "network": network,
            "scale": int(float(scale)),
        }
    kind, _, strength = attack.rpartition("-")
    return {
        "attack_kind": kind or attack,
        "attack_strength": strength if kind else "",
        "network": None,
        "scale": 1,
    }


def result_of(model, method, attack, faces, network=None, scale=1, defence=None):
    """Results of a detector that was trained and tested on a method, for what looks at predictions alone."""
    run = {
        "model": model, "forgery": method, "trained_on": method, "trained_data": "", "data": "", "attack": attack,
        "network": network, "scale": scale,
        "defence": defence or "none", "defence_attack": defence.split(" ")[0] if defence else None,
    }  # fmt: skip
    return Result(Path("results"), run, {"both": {}}, {}, faces)


def read(outputs):
    """The results of an outputs folder, all of which have to be readable."""
    collected = collect([outputs])
    assert not collected.unread
    return collected.results
