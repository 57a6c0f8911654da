"""A suite of attacks on a detector, and the robustness card, as a user types it."""

import json

import pandas as pd
import pytest
import yaml
from forked import TINY, run, without_figures

LINES = '"attack=bicubic attack.scale=2,3","attack=jpeg attack.severity=3","attack=sr sr_model=edsr_large"'
SUITE = [f"suite={{attacks:[{LINES}]}}", "evaluate.skip_missing_weights=true", "evaluate.explain=false"]
EVALUATE = [option for option in TINY if not option.startswith("protocol")]


@pytest.mark.slow
def test_a_suite_is_one_command_and_the_report_has_a_card(trained):
    command = ["evaluate", "-m", *EVALUATE, "detector=outputs/detectors/*", *SUITE]
    shown = run(*command, cwd=trained)
    assert "Suite, 3 of 4: attack=jpeg attack.severity=3" in shown
    assert "Left out of the suite: attack=sr sr_model=edsr_large: " in shown
    again = run(*command, cwd=trained)
    assert again.count("Already done") == 3

    report = run("report", cwd=trained, before=without_figures)
    assert "Worst case over all attacks" in report
    (folder,) = (trained / "outputs" / "report" / "cards").iterdir()
    card = json.loads((folder / "card.json").read_text())
    names = {attack["name"][:10] for attack in card["attacks"]}  # less the digits of the weights
    assert names == {"bicubic-x2", "bicubic-x3", "jpeg-q15", "sr-edsr-x2"}
    assert card["absent"][0].startswith("attack=sr sr_model=edsr_large: ")
    # Against the tables of predictions, by hand.
    tables = [
        pd.read_parquet(file).set_index("face_id").sort_index()
        for file in (trained / "outputs" / "results").glob("*/predictions.parquet")
        if "-none-" not in file.parent.name
    ]
    scores = pd.concat([tables[0]["score"], *(table["score_attacked"] for table in tables)], axis=1)
    fakes = tables[0]["label"] == 1
    assert len(tables) == 4
    assert card["worst_case"]["fnr"]["value"] == pytest.approx((scores.min(axis=1) <= 0.5)[fakes].mean())
    assert card["worst_case"]["fpr"]["value"] == pytest.approx((scores.max(axis=1) > 0.5)[~fakes].mean())

    text = (folder / "card.md").read_text()
    block = yaml.safe_load(text.split("---")[1])
    metrics = {each["name"]: each["value"] for each in block["model-index"][0]["results"][0]["metrics"]}
    assert metrics["FNR, worst case over 4 attacks"] == pytest.approx(card["worst_case"]["fnr"]["value"], abs=1e-4)
    repeated = run("evaluate", f"from_run={next((trained / 'outputs' / 'results').glob('*jpeg*'))}", cwd=trained)
    assert "Already done" in repeated
    assert "Suite" not in repeated
