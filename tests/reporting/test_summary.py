import io
import math

import numpy as np
import pandas as pd
import pytest
from scored_faces import predictions
from sklearn.metrics import roc_auc_score

from sr_deepfake.reporting.figures import drawn
from sr_deepfake.reporting.summary import (
    Missing,
    Summary,
    as_words,
    print_summary,
    rates,
    render_markdown,
    write_summary,
)

CAPTION = "Illustration only: generated people."


@pytest.fixture
def summary():
    table = pd.DataFrame(
        {
            "network": ["edsr", "lanczos"],
            "scale": [2, 4],
            "ssim": [0.96543, math.nan],
            "psnr": [37.25, math.nan],
            "fnr_clean": [0.0541, math.nan],
            "fnr_change": [-0.1, math.nan],
        }
    )
    figure = drawn(lambda figure: figure.subplots().plot([1, 2]), height=1)
    return Summary("Networks", table, figure, ["Rates in %.", "Means over detectors."])


def test_rates_are_those_of_the_classification_clean_and_attacked():
    row = rates(predictions(fnr=(0.1, 0.6), fpr=(0.2, 0.05)))
    assert row["fnr_clean"] == pytest.approx(0.1)
    assert row["fnr_attacked"] == pytest.approx(0.6)
    assert row["fnr_change"] == pytest.approx(0.5)
    assert row["fpr_clean"] == pytest.approx(0.2)
    assert row["fpr_change"] == pytest.approx(-0.15)


def test_auc_agrees_with_scikit_learn():
    rng = np.random.default_rng(3)
    faces = predictions().assign(score=rng.random(80), score_attacked=rng.random(80))
    row = rates(faces)
    for name, column in (("auc_clean", "score"), ("auc_attacked", "score_attacked")):
        assert row[name] == pytest.approx(roc_auc_score(faces["label"], faces[column]))


def test_a_missing_cell_an_empty_part_and_an_absent_class_are_undefined():
    assert all(math.isnan(value) for value in rates(None).values())
    faces = predictions()
    assert all(math.isnan(value) for value in rates(faces[:0]).values())
    fakes = rates(faces[faces["label"] == 1])
    assert fakes["fnr_attacked"] == 0.5
    assert math.isnan(fakes["fpr_attacked"])
    assert math.isnan(fakes["auc_clean"])


def test_faces_that_were_not_attacked_have_clean_rates_only():
    row = rates(predictions(fnr=(0.1, 0.6)).assign(score_attacked=np.nan))
    assert row["fnr_clean"] == pytest.approx(0.1)
    assert math.isnan(row["fnr_attacked"])
    assert math.isnan(row["fnr_change"])


def test_words_have_units_signs_and_a_dash_for_what_is_undefined(summary):
    words = as_words(summary.table)
    assert list(words) == ["Network", "K", "SSIM", "PSNR (dB)", "FNR clean", "FNR change"]
    assert words.to_numpy().tolist() == [
        ["edsr", "2", "0.965", "37.2", "5.4", "-10.0"],
        ["lanczos", "4", "–", "–", "–", "–"],
    ]


def test_markdown_is_one_table_with_caption_remarks_and_the_missing_commands(summary):
    missing = [Missing("python -m sr_deepfake.train seed=1", "no weights"), Missing("python -m x")]
    text = render_markdown(summary, CAPTION, missing)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0] == "| Network | K | SSIM | PSNR (dB) | FNR clean | FNR change |"
    assert rows[1] == "|---|---:|---:|---:|---:|---:|"
    assert rows[2] == "| edsr | 2 | 0.965 | 37.2 | 5.4 | -10.0 |"
    assert f"*{CAPTION}*" in text
    assert "- Means over detectors." in text
    assert "2 cell(s) are missing" in text
    assert "# no weights\npython -m sr_deepfake.train seed=1\npython -m x\n```" in text
    assert "missing" not in render_markdown(summary)


def test_the_printed_table_is_not_cut_in_a_pipe(summary):
    shown = io.StringIO()
    print_summary(summary, CAPTION, [Missing("python -m " + "x" * 200)], file=shown)
    text = shown.getvalue()
    assert "edsr" in text
    assert "x" * 200 in text
    assert CAPTION in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_files_hold_the_numbers_as_they_are(summary, tmp_path):
    files = write_summary(tmp_path / "deep", summary, CAPTION)
    assert [file.name for file in files] == ["table.csv", "table.md", "figure.png", "figure.svg"]
    pd.testing.assert_frame_equal(pd.read_csv(files[0]), summary.table, check_dtype=False)
    assert files[1].read_text(encoding="utf-8") == render_markdown(summary, CAPTION)
    assert CAPTION in files[3].read_text()
