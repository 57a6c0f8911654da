import csv

import numpy as np
import pytest
from result_folders import CAPTION, read, write_results
from scored_faces import predictions

from sr_deepfake.reporting.grid import METHODS, Wish, make_grid
from sr_deepfake.reporting.page.words import conclusions
from sr_deepfake.reporting.published import FOLDER, published_rates, published_similarity
from sr_deepfake.reporting.report import Report
from sr_deepfake.reporting.tables import change_table, interval_table, rates_table, similarity_table
from sr_deepfake.reporting.thresholds import threshold_table

WHERE = ["resnet50", "swin"]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Two models, two methods; swin has no FaceSwap."""
    outputs = tmp_path_factory.mktemp("outputs")
    write_results(outputs, "resnet50", "FaceSwap", faces=predictions((0, 0.6), (0.05, 0.3), 80, ssim=0.9549))
    write_results(outputs, "resnet50", "Deepfakes", faces=predictions((0.1, 0.1), (0, 0), 80))
    write_results(outputs, "swin", "Deepfakes", faces=predictions((0, 0.0125), (0, 0), 80))
    wish = Wish(models=WHERE, methods=["Deepfakes", "FaceSwap"])
    return make_grid(read(outputs), wish)


def body(table):
    return {tuple(row[:3]): row[3:] for row in table.rows}


def test_table_1_has_the_papers_columns_order_and_rounding(grid):
    table = rates_table(grid, 1, CAPTION)
    assert list(table.columns) == [
        "Model", "Forgery Method", "SR", "FNR ↓", "FPR ↓", "Recall ↑", "Precision ↑", "AUC ↑", "Accuracy ↑",
    ]  # fmt: skip
    assert [tuple(row[:3]) for row in table.rows] == [
        (model, method, sr)
        for model, method in (("Resnet50", "Deepfakes"), ("Resnet50", "FaceSwap"), ("Swin", "Deepfakes"))
        for sr in ("×", "✓")
    ]
    rows = body(table)
    assert rows["Resnet50", "FaceSwap", "×"][:3] == ["0.0", "5.0", "100.0"]
    assert rows["Resnet50", "Deepfakes", "✓"][:2] == ["10.0", "0.0"]
    assert rows["Swin", "Deepfakes", "✓"][0] == "1.2"
    assert CAPTION in table.caption


def test_marks_stand_beside_significant_changes_only(grid):
    rows = body(rates_table(grid, 1))
    fnr, fpr, recall = rows["Resnet50", "FaceSwap", "✓"][:3]
    assert fnr == "60.0**"
    assert fpr.rstrip("*") == "30.0"
    assert recall == "40.0"
    assert rows["Resnet50", "FaceSwap", "×"][0] == "0.0"
    assert not rows["Swin", "Deepfakes", "✓"][0].endswith("*")


def test_detectors_that_were_not_run_have_no_row(grid):
    assert ("Swin", "FaceSwap", "×") not in body(rates_table(grid, 1))
    assert [
        entry.clean for entry in grid.entries if (entry.model, entry.forgery) == ("swin", "FaceSwap")
    ] == [None]
    assert rates_table(grid, 1).rules == [4]


def test_several_seeds_are_a_mean_and_a_standard_deviation(tmp_path):
    for seed, missed in enumerate((0.1, 0.2, 0.6)):
        write_results(
            tmp_path,
            seed=seed,
            digits=str(seed),
            started=f"2026-01-0{seed + 1}",
            faces=predictions((0, missed)),
        )
    write_results(tmp_path, seed=1, digits="old", started="2025-01-01", faces=predictions((0, 0.9)))
    write_results(
        tmp_path, seed=7, recipe="other", digits="other", started="2025-01-01", faces=predictions((0, 0.9))
    )
    table = rates_table(make_grid(read(tmp_path), Wish()), 1)
    assert (
        body(table)["Resnet50", "FaceSwap", "✓"][0] == f"30.0 ± {100 * np.std([0.1, 0.2, 0.6], ddof=1):.1f}"
    )
    assert body(table)["Resnet50", "FaceSwap", "×"][0] == "0.0 ± 0.0"
    assert "over the seeds" in " ".join(table.remarks)

    seeded = make_grid(read(tmp_path), Wish())
    (row,) = change_table(seeded).rows
    assert row[2] == f"+30.0 ± {100 * np.std([0.1, 0.2, 0.6], ddof=1):.1f}"
    for other in (change_table(seeded), interval_table(seeded, 1)):
        assert "over the test videos of the newest seed" in " ".join(other.remarks)
    (sentence,) = [words for words in conclusions(report_of(seeded)) if "seeds" in words]
    assert "Resnet50 on FaceSwap +30.0 ± 26.5 (3 seeds)" in sentence


def report_of(grid):
    results = [result for _, result in grid.attacked]
    return Report(results, grid, tables=[], figures=[], examples=[])


def test_beyond_the_threshold_of_one_half(tmp_path):
    write_results(
        tmp_path, faces=predictions((0.1, 0.3), (0.05, 0.2), 80), validation=predictions((0, 0), (0, 0))
    )
    table = threshold_table(make_grid(read(tmp_path), Wish()), CAPTION)
    columns = dict(zip(table.columns[3:], body(table)["Resnet50", "FaceSwap", "✓"], strict=True))
    clean = dict(zip(table.columns[3:], body(table)["Resnet50", "FaceSwap", "×"], strict=True))
    # The validation faces have scores of 0.8 (fakes) and 0.3: the threshold lies between.
    assert clean["Threshold"] == "0.550"
    assert (clean["FNR"], clean["FPR"], columns["FNR"], columns["FPR"]) == ("10.0", "5.0", "30.0", "20.0")
    # Fakes are at 0.8 and 0.2, pristine faces at 0.7 and 0.3: none is above a fake at 0.8.
    assert columns["TPR at FPR 1 %"] == "70.0"
    assert columns["Success"] == f"{100 * (0.3 - 0.1) / 0.9:.1f}"
    assert "equal error" in table.caption


def test_in_table_2_pristine_faces_are_untouched(grid):
    rows = body(rates_table(grid, 2))
    assert rows["Resnet50", "FaceSwap", "✓"][:2] == ["60.0**", ""]
    assert rows["Resnet50", "FaceSwap", "×"][1] == "5.0"
    # Precision is that of attacked fakes among clean pristine faces: 32 found, 4 accused.
    assert rows["Resnet50", "FaceSwap", "✓"][3] == "88.9"


def test_intervals_are_those_of_the_metrics(grid):
    table = interval_table(grid, 1)
    result = next(result for entry, result in grid.attacked if entry.forgery == "FaceSwap")
    low, high = result.metrics["intervals"]["both"]["fnr"]
    assert body(table)["Resnet50", "FaceSwap", "✓"][0] == f"60.0 [{100 * low:.1f}, {100 * high:.1f}]"
    second = body(interval_table(grid, 2))["Resnet50", "FaceSwap", "✓"]
    assert second[1] == ""
    low, high = result.metrics["intervals"]["fake"]["auc"]
    assert second[2].endswith(f"[{100 * low:.1f}, {100 * high:.1f}]")


def test_changes_have_signs_intervals_and_corrected_p_values(grid):
    rows = {tuple(row[:2]): row[2:] for row in change_table(grid).rows}
    change, p = rows["Resnet50", "FaceSwap"][:2]
    assert change.startswith("+60.0 [+")
    entry = next(entry for entry in grid.entries if (entry.model, entry.forgery) == ("resnet50", "FaceSwap"))
    assert p == f"{entry.p_values['fnr']:.3f}"
    assert rows["Resnet50", "Deepfakes"][0].startswith("+0.0 [+0.0")
    assert ("Swin", "FaceSwap") not in rows


def test_table_3_has_pristine_first_and_the_scripts_own_figures(grid):
    table = similarity_table(grid)
    assert [row[0] for row in table.rows] == ["Pristine", "Deepfakes", "FaceSwap"]
    assert table.rows[0][1:] == ["0.500", "10.0", "0.980", "35.5", "36.0"]
    assert table.rows[2][1:] == ["0.955", "35.0", "0.980", "35.5", "36.0"]
    assert "wrapped" in table.columns[5]


def test_the_published_figures_are_those_of_the_paper():
    """Spot checks against the text, and the relations that the paper's rows have among themselves."""
    rates = published_rates()
    assert len(rates) == 2 * 3 * 5 * 2
    assert rates[1, "xception", "NeuralTextures", True]["fpr"] == 21.6
    assert rates[2, "swin", "FaceSwap", True]["auc"] == 94.1
    for (table, model, method, attacked), row in rates.items():
        assert row["fnr"] + row["recall"] == pytest.approx(100, abs=0.11)
        if table == 2 and attacked:
            assert row["fpr"] == rates[2, model, method, False]["fpr"]
            assert row["fnr"] == rates[1, model, method, True]["fnr"]
        if not attacked:
            assert row == rates[3 - table, model, method, False]
    assert {method for _, _, method, _ in rates} == set(METHODS)
    assert published_similarity()["NeuralTextures"] == (0.972, 40.5)
    assert list(published_similarity()) == [
        "Pristine", "Deepfakes", "Face2Face", "FaceShifter", "FaceSwap", "NeuralTextures",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tables_1_and_2.csv", "table_3.csv"])
def test_the_data_files_are_tables(name):
    with (FOLDER / name).open(newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1
