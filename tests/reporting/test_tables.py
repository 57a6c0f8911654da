import csv

import numpy as np
import pytest
from result_folders import CAPTION, read, write_results
from scored_faces import predictions

from sr_deepfake.reporting.grid import METHODS, Wish, make_grid
from sr_deepfake.reporting.published import FOLDER, published_rates, published_similarity
from sr_deepfake.reporting.tables import change_table, interval_table, rates_table, similarity_table

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
    assert "over seeds" in " ".join(table.remarks)


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
