import numpy as np
import pytest
from result_folders import CAPTION, grid_of, read_all, write_results
from scored_faces import completed, predictions

from sr_deepfake.metrics.setups import run_metrics
from sr_deepfake.reporting.control import contributions
from sr_deepfake.reporting.published import METHODS, published_rates, published_similarity
from sr_deepfake.reporting.tables import (
    change_table,
    control_table,
    interval_table,
    operating_table,
    rates_table,
    similarity_table,
)
from sr_deepfake.reporting.words import answer


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Two models, two methods; swin has no FaceSwap."""
    outputs = tmp_path_factory.mktemp("outputs")
    write_results(outputs, faces=predictions((0, 0.6), (0.05, 0.3), 80, ssim=0.9549))
    write_results(outputs, forgery="Deepfakes", faces=predictions((0.1, 0.1), (0, 0), 80))
    write_results(outputs, model="swin", forgery="Deepfakes", faces=predictions((0, 0.0125), (0, 0), 80))
    return grid_of(outputs, models=["resnet50", "swin"], methods=["Deepfakes", "FaceSwap"])


def body(table):
    return {tuple(row[:3]): row[3:] for row in table.rows}


def test_table_1_has_the_papers_columns_order_and_rounding(grid):
    table = rates_table(grid, 1)
    assert list(table.columns) == [
        "Model", "Forgery Method", "SR", "FNR ↓", "FPR ↓", "Recall ↑", "Precision ↑", "AUC ↑", "Accuracy ↑",
    ]  # fmt: skip
    assert [tuple(row[:3]) for row in table.rows] == [  # detectors that were not run have no row
        (model, method, sr)
        for model, method in (("Resnet50", "Deepfakes"), ("Resnet50", "FaceSwap"), ("Swin", "Deepfakes"))
        for sr in ("×", "✓")
    ]
    rows = body(table)
    assert rows["Resnet50", "FaceSwap", "×"][:3] == ["0.0", "5.0", "100.0"]
    assert rows["Resnet50", "Deepfakes", "✓"][:2] == ["10.0", "0.0"]
    assert rows["Swin", "Deepfakes", "✓"][0] == "1.2"
    assert CAPTION in table.caption
    assert table.rules == [4]


def test_marks_are_at_significant_changes_only(grid):
    rows = body(rates_table(grid, 1))
    fnr, fpr, recall = rows["Resnet50", "FaceSwap", "✓"][:3]
    assert (fnr, fpr.rstrip("*"), recall) == ("60.0**", "30.0", "40.0")
    assert rows["Resnet50", "FaceSwap", "×"][0] == "0.0"
    assert not rows["Swin", "Deepfakes", "✓"][0].endswith("*")


def test_balanced_accuracy_is_shown_where_classes_are_not_even(tmp_path):
    faces = completed(predictions((0.1, 0.3), (0, 0.2), 80).iloc[40:].reset_index(drop=True))
    write_results(tmp_path, faces=faces)
    table = rates_table(grid_of(tmp_path), 1)
    expected = run_metrics(faces, resamples=2).value("both", "balanced_accuracy")
    assert body(table)["Resnet50", "FaceSwap", "✓"][-1] == f"{100 * expected:.1f}"


def test_several_seeds_are_a_mean_and_a_standard_deviation(tmp_path):
    for seed, missed in enumerate((0.1, 0.2, 0.6)):
        write_results(tmp_path, seed=seed, weights=str(seed), faces=predictions((0, missed)))
    seeded = grid_of(tmp_path)
    table = rates_table(seeded, 1)
    spread = 100 * np.std([0.1, 0.2, 0.6], ddof=1)
    assert body(table)["Resnet50", "FaceSwap", "✓"][0].rstrip("*") == f"30.0 ± {spread:.1f}"
    for other in (table, change_table(seeded), interval_table(seeded, 1)):
        assert "Means over 3 seeds" in " ".join(other.remarks)
    assert "over clusters and seeds" in change_table(seeded).caption


def test_other_operating_points(tmp_path):
    write_results(tmp_path, faces=predictions((0.1, 0.3), (0.05, 0.2), 80))
    grid = grid_of(tmp_path)
    table = operating_table(grid)
    attacked, clean = (
        dict(zip(table.columns[3:], body(table)["Resnet50", "FaceSwap", sr], strict=True)) for sr in ("✓", "×")
    )
    threshold = grid.attacked[0].metrics.threshold.value
    assert clean["Threshold"] == f"{threshold:.3f}"
    assert attacked["Threshold"] == ""
    for cells, setup in ((clean, "clean"), (attacked, "both")):
        for name, metric in (("FNR", "fnr"), ("FPR", "fpr")):
            figure = grid.attacked[0].figure(f"threshold/{setup}", metric)
            low, high = figure.interval
            assert cells[name] == f"{100 * figure.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    # Fakes are at 0.8 and 0.2, pristine faces at 0.7 and 0.3: none is above a fake at 0.8.
    assert attacked["TPR at FPR 1 %"].startswith("70.0 [")
    assert attacked["Success"].startswith(f"{100 * (0.3 - 0.1) / 0.9:.1f} [")
    assert "equal error" in table.caption


def test_in_table_2_pristine_faces_are_untouched(grid):
    rows = body(rates_table(grid, 2))
    assert rows["Resnet50", "FaceSwap", "✓"][:2] == ["60.0**", ""]
    assert rows["Resnet50", "FaceSwap", "×"][1] == "5.0"
    # Precision is that of attacked fakes among clean pristine faces: 32 found, 4 false alarms.
    assert rows["Resnet50", "FaceSwap", "✓"][3] == "88.9"


def test_intervals_and_changes_are_those_of_the_metrics(grid):
    entry = next(entry for entry in grid.attacked if entry.name == "resnet50 on FaceSwap")
    low, high = entry.figure("both", "fnr").interval
    assert body(interval_table(grid, 1))["Resnet50", "FaceSwap", "✓"][0] == f"60.0 [{100 * low:.1f}, {100 * high:.1f}]"
    assert body(interval_table(grid, 2))["Resnet50", "FaceSwap", "✓"][1] == ""
    rows = {tuple(row[:2]): row[2:] for row in change_table(grid).rows}
    change, p = rows["Resnet50", "FaceSwap"][:2]
    low, high = entry.figure("both", "fnr").change_interval
    assert change == f"+60.0 [+{100 * low:.1f}, +{100 * high:.1f}]"
    assert p == f"{entry.figure('both', 'fnr').p:.3f}"
    assert ("Swin", "FaceSwap") not in rows


def test_table_3_has_pristine_first_and_the_scripts_own_figures(grid):
    table = similarity_table(grid)
    assert [row[0] for row in table.rows] == ["Pristine", "Deepfakes", "FaceSwap"]
    shown = [[cell.split(" ")[0] for cell in row[1:]] for row in table.rows]
    assert shown[0] == ["0.500", "10.0", "0.980", "35.5", "36.0"]
    assert shown[2] == ["0.955", "35.0", "0.980", "35.5", "36.0"]
    assert "wrapped" in table.columns[5]


def test_a_control_is_of_the_same_model_and_method(tmp_path):
    """A table of scores has one digest for all that is in it."""
    for model, missed in (("m1", 0.2), ("m2", 0.4)):
        for attack, more in (("sr-edsr-x2", 0.3), ("bicubic-x2", 0)):
            write_results(tmp_path, model=model, attack=attack, faces=predictions((0, missed + more), count=80))
    found = contributions(grid_of(tmp_path), read_all(tmp_path))
    assert [(each.entry.model, each.figure("fnr").change) for each in found] == [
        ("m1", pytest.approx(0.3)), ("m2", pytest.approx(0.3)),
    ]  # fmt: skip


def test_what_the_network_adds_is_paired_with_its_control(tmp_path):
    """Of the 50 points of the attack, those that bicubic scaling does not take are the network's."""
    write_results(tmp_path, faces=predictions((0.1, 0.6), (0, 0.2), 80))
    control = predictions((0.1, 0.3), (0, 0.1), 80)
    write_results(tmp_path, attack="bicubic-x2", faces=control)
    write_results(tmp_path, attack="bicubic-x3", faces=control)  # another K
    write_results(tmp_path, attack="lanczos-x2", faces=control, weights="another detector")
    grid = grid_of(tmp_path)
    (found,) = contributions(grid, read_all(tmp_path))
    assert found.control == "bicubic-x2"
    for metric, added in (("fnr", 0.3), ("fpr", 0.1)):
        assert found.figure(metric).change == pytest.approx(added)
        low, high = found.figure(metric).change_interval
        assert low < added < high
    assert found.figure("auc").change < 0
    (row,) = control_table(grid, [found]).rows
    assert row[:3] == ["Resnet50", "FaceSwap", "bicubic-x2"]
    assert row[3].startswith("+30.0 [")
    assert row[4] == f"{found.figure('fnr').p:.3f}"
    assert found.figure("fnr").p < 0.1
    words = answer(grid, [found])
    assert "Of the 50.0 points, +30.0 [" in words
    assert "are the network's (more than bicubic-x2)" in words
    assert control_table(grid, []) is None


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
