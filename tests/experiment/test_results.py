import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_folders import attack_of, changed_metrics, run_info, write_results
from scored_faces import predictions

from sr_deepfake.experiment.results import AttackInfo, RunInfo, read_metrics, read_result
from sr_deepfake.system.errors import UserError


def test_what_is_written_is_read(tmp_path):
    folder = write_results(tmp_path, overrides=["model=swin"], config={"seed": 0})
    result = read_result(folder)
    assert result.run == run_info()
    assert result.metrics == read_metrics(folder).metrics
    assert result.metrics.value("both", "fnr") == 0.5
    assert len(result.predictions) == 80
    assert (result.command, result.config) == ("python -m sr_deepfake.train model=swin", {"seed": 0})
    assert result.is_attacked


@pytest.mark.parametrize("name", [name for name in RunInfo.model_fields if name != "scoring"])
def test_whatever_a_result_depends_on_is_in_the_name_of_its_folder(name):
    """As `threshold.fpr=0.01,0.05`, which were two runs of one folder, of which the last won."""
    run = run_info(threshold_fpr=0.01)
    value = getattr(run, name)
    other = {str: f"{value}x", int: 7, float: 0.05, type(None): 224}.get(type(value), attack_of("jpeg-q15"))
    changed = RunInfo.model_validate(run.model_dump() | {name: other})
    assert changed.folder_name != run.folder_name
    assert RunInfo.model_validate(run.model_dump()).folder_name == run.folder_name


@given(*[st.text("aZ9._+-/\\ \0\n:é☃", min_size=1)] * 2)
def test_any_names_make_one_folder(detector, attack):
    name = run_info(detector=detector).model_copy(update={"attack": AttackInfo(name=attack)}).folder_name
    assert re.fullmatch(r"[A-Za-z0-9_.+-]+-[0-9a-f]{8}", name)


def test_an_attack_is_described_and_not_parsed():
    assert attack_of("sr-edsr-x2").kind_and_strength == "sr-edsr-x2"
    assert attack_of("none").kind_and_strength == "none"


def test_rows_of_the_papers_tables_are_of_detectors_on_their_own_method():
    assert run_info().is_plain
    assert run_info(trained_on="external").is_plain
    assert run_info(trained_on="Deepfakes", trained_data="ffpp", data="celebdf").is_plain
    assert not run_info(trained_on="Deepfakes").is_plain
    assert not run_info(defence="sr-edsr-x2 p=0.5").is_plain
    assert not run_info(test_side=224).is_plain
    assert run_info(trained_on="external", protocol="external").fits("sample", "paper")
    assert not run_info(protocol="quick").fits("sample", "paper")


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_without_provenance_figures_are_the_same(tmp_path, content):
    folder = write_results(tmp_path)
    (folder / "provenance.json").unlink()
    if content is not None:
        (folder / "provenance.json").write_text(content)
    result = read_result(folder)
    assert (result.provenance, result.command, result.started, result.config) == ({}, "", "", {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["run"].pop("model"), r"older version \(run\.model: Field required\); .* evaluate\.force"),
        (lambda c: c["run"].update(colour="red"), r"run\.colour: Extra inputs"),
        (lambda c: c["run"].update(scoring=1), "older version"),
        (lambda c: c["run"].update(threshold_fpr=3), r"run\.threshold_fpr"),
        (lambda c: c["metrics"]["counts"].update(faces="many"), r"metrics\.counts\.faces"),
        (lambda c: c["run"].update(limit_test_batches=0.5), "only a part of the test faces"),
        (lambda c: c["metrics"]["figures"]["clean"]["fnr"].update(value=0.7), "do not belong together"),
        (lambda c: c["metrics"]["figures"]["both"]["fpr"].update(value=0.7), "do not belong together"),
        (lambda c: c["metrics"]["counts"].update(faces=7), "do not belong together"),
        (lambda c: c["metrics"]["figures"].pop("both"), "do not belong together"),
    ],
)
def test_content_that_does_not_fit_is_refused(tmp_path, change, message):
    folder = write_results(tmp_path)
    changed_metrics(folder, change)
    with pytest.raises(UserError, match=message):
        read_result(folder)


def test_missing_and_damaged_metrics_say_how_to_fix_them(tmp_path):
    folder = write_results(tmp_path)
    for content in ("{", "[1]", json.dumps({"run": {}})):
        (folder / "metrics.json").write_text(content)
        with pytest.raises(UserError, match=r"metrics\.json is damaged or of an older version"):
            read_metrics(folder)
    (folder / "metrics.json").unlink()
    with pytest.raises(UserError, match=r"unfinished: metrics\.json is missing; the command that began it"):
        read_metrics(folder)


def test_predictions_of_before_are_named_not_guessed(tmp_path):
    """Older tables did not say which faces belong together."""
    folder = write_results(tmp_path)
    predictions().drop(columns=["cluster", "target", "source"]).to_parquet(folder / "predictions.parquet")
    with pytest.raises(UserError, match=r"of an older version.*no column cluster"):
        read_result(folder)


def test_results_of_one_class(tmp_path):
    result = read_result(write_results(tmp_path, faces=predictions().query("label == 0")))
    assert result.metrics.value("clean", "fnr") is None
    assert result.metrics.value("both", "fpr") == 0.25
