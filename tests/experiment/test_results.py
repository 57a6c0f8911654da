import json

import numpy as np
import pytest
from result_folders import CAPTION, read, write_results
from scored_faces import predictions

from sr_deepfake.experiment.results import read_metrics, write_metrics
from sr_deepfake.reporting.collect import collect
from sr_deepfake.system.errors import UserError


def test_a_result_says_what_it_is_of(tmp_path):
    folder = write_results(tmp_path, "my-net", "FaceSwap", trained_on="Deepfakes")
    (result,) = read(tmp_path)
    assert (result.name, result.folder) == (folder.name, folder)
    assert (result.model, result.trained_on, result.tested_on) == ("my-net", "Deepfakes", "FaceSwap")
    assert (result.attack, result.data, result.protocol) == ("sr-edsr-x2", "sample", "quick")
    assert result.illustration == CAPTION
    assert result.is_attacked
    assert (result.kind, result.strength, result.attack_and_strength) == ("sr-edsr", "x2", "sr-edsr-x2")
    assert result.command == "python -m sr_deepfake.train"
    assert result.outputs == tmp_path
    assert result.metrics["both"]["fnr"] == 0.5
    assert len(result.predictions) == 80


@pytest.mark.parametrize("given", ["outputs", "outputs/results", "one"])
def test_results_are_found_by_their_outputs_their_folder_and_themselves(given, tmp_path):
    outputs = tmp_path / "outputs"
    folder = write_results(outputs)
    place = folder if given == "one" else tmp_path / given
    assert [result.folder for result in collect([place]).results] == [folder]


def test_results_that_are_named_twice_count_once(tmp_path):
    folder = write_results(tmp_path)
    assert len(collect([tmp_path, tmp_path / "results", folder]).results) == 1


def test_other_folders_beside_results_are_no_results(tmp_path):
    (tmp_path / "notes").mkdir()
    assert collect([tmp_path]) == collect([tmp_path / "notes"])
    with pytest.raises(UserError, match="there is no such folder"):
        collect([tmp_path / "nowhere"])


def _truncate(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def _edit(folder, change):
    metrics = json.loads((folder / "metrics.json").read_text())
    change(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "metrics.json").unlink(), "unfinished"),
        (lambda folder: (folder / "predictions.parquet").unlink(), "no predictions"),
        (lambda folder: _truncate(folder, "metrics.json"), "no metrics can be read"),
        (lambda folder: _truncate(folder, "predictions.parquet"), "does not hold predictions"),
        (lambda folder: (folder / "metrics.json").write_text("[]"), "does not hold metrics"),
        (lambda folder: _edit(folder, lambda metrics: metrics.pop("run")), "which run"),
        (lambda folder: _edit(folder, lambda metrics: metrics["run"].update(model=7)), "which model"),
        (lambda folder: _edit(folder, lambda metrics: metrics["both"].pop("auc")), "lacks both/auc"),
        (lambda folder: _edit(folder, lambda metrics: metrics.update(clean=None)), "lacks clean"),
        (
            lambda folder: _edit(folder, lambda metrics: metrics["fake"].update(fpr="0")),
            "no number for fake/fpr",
        ),
        (lambda folder: _edit(folder, lambda metrics: metrics.pop("similarity")), "lacks similarity"),
        (
            lambda folder: _edit(folder, lambda metrics: metrics["changes"].update(both=[])),
            "lacks changes/both",
        ),
        (lambda folder: _edit(folder, lambda metrics: metrics.update(mcnemar=None)), "lacks mcnemar"),
        (
            lambda folder: _edit(folder, lambda metrics: metrics["intervals"]["both"].update(fnr=[1])),
            "no interval for",
        ),
        (
            lambda folder: _edit(folder, lambda metrics: metrics["correlation"].update(pooled={})),
            "lacks correlation/",
        ),
        (lambda folder: _edit(folder, lambda metrics: metrics["video"].pop("clean")), "lacks video/clean"),
        (lambda folder: _edit(folder, lambda metrics: metrics["run"].update(scale="2")), "which scale"),
        (lambda folder: _edit(folder, lambda metrics: metrics["clean"].update(fnr=0.3)), "belong together"),
        (lambda folder: _edit(folder, lambda metrics: metrics["faces"].update(faces=7)), "belong together"),
    ],
)
def test_damaged_results_are_told_and_others_are_read(damage, reason, tmp_path):
    whole, damaged = write_results(tmp_path), write_results(tmp_path, "swin")
    damage(damaged)
    found = collect([tmp_path])
    assert [result.folder for result in found.results] == [whole]
    ((folder, told),) = [(unread.folder, unread.reason) for unread in found.unread]
    assert folder == damaged
    assert reason in told
    assert "\n" not in told


def test_without_provenance_a_result_is_shown_all_the_same(tmp_path):
    folder = write_results(tmp_path)
    for content in (None, "{", "[]"):
        if content is None:
            (folder / "provenance.json").unlink()
        else:
            (folder / "provenance.json").write_text(content)
        (result,) = read(tmp_path)
        assert (result.provenance, result.command, result.started, result.config) == ({}, "", "", {})


def test_the_defence_is_told_by_the_results_themselves(tmp_path):
    write_results(tmp_path, defence="sr-edsr-x2 p=0.5")
    assert read(tmp_path)[0].defence == "sr-edsr-x2 p=0.5"


@pytest.mark.parametrize(
    ("attack", "network", "scale"),
    [("sr-edsr-x2", "edsr", 2), ("jpeg-q15", "", 1), ("none", "", 1), ("sr-edsr-x2+jpeg-q15", "", 1)],
)
def test_network_and_scale_are_told_never_parsed(attack, network, scale, tmp_path):
    faces = predictions()
    if attack == "none":
        faces = faces.assign(
            score_attacked=np.nan,
            ssim=np.nan,
            psnr=np.nan,
            ssim_224=np.nan,
            psnr_224=np.nan,
            psnr_224_wrapped=np.nan,
        )
    write_results(tmp_path, attack=attack, faces=faces)
    (result,) = read(tmp_path)
    assert (result.network, result.scale, result.defence) == (network, scale, "none")
    assert result.is_attacked == (attack != "none")


@pytest.mark.parametrize("content", [None, "{", "[1]"])
def test_missing_and_damaged_metrics_say_what_mends_them(tmp_path, content):
    path = tmp_path / "metrics.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"metrics\.json.*sr_deepfake\.evaluate"):
        read_metrics(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan"), np.float64(0.5), 0.5])
def test_metrics_are_read_as_they_were_written(value, tmp_path):
    write_metrics(tmp_path / "metrics.json", {"a": {"b": [value, 1]}})
    finite = value if value == 0.5 else None
    assert read_metrics(tmp_path / "metrics.json") == {"a": {"b": [finite, 1]}}
