import pytest
from result_folders import grid_of, read_all, result_of, write_results
from scored_faces import predictions, unattacked
from statsmodels.stats.multitest import multipletests

from sr_deepfake.reporting.grid import GridSelection, make_grid
from sr_deepfake.reporting.published import METHODS
from sr_deepfake.system.errors import UserError

PAPER = {"data": "ffpp", "protocol": "paper"}


def test_the_grid_is_what_was_run_in_the_papers_order(tmp_path):
    for model, method in (("convnext_tiny", "Deepfakes"), ("swin", "FaceSwap"), ("resnet50", "FaceSwap")):
        write_results(tmp_path, model=model, forgery=method, **PAPER)
    grid = grid_of(tmp_path)
    assert (grid.models, grid.methods) == (["resnet50", "swin", "convnext_tiny"], ["Deepfakes", "FaceSwap"])
    shown = [("resnet50", "FaceSwap"), ("swin", "FaceSwap"), ("convnext_tiny", "Deepfakes")]
    assert [(entry.model, entry.method) for entry in grid.shown] == shown
    squares = [(model, method) for model in grid.models for method in grid.methods]
    assert [square[:2] for square in grid.squares] == squares
    assert [square[:2] for square in grid.squares if square[2]] == shown


def test_clean_figures_are_those_of_the_attacked_results_or_of_any(tmp_path):
    write_results(tmp_path, attack="none", faces=unattacked(predictions()))
    attacked = write_results(tmp_path)
    alone = write_results(tmp_path, forgery="Deepfakes", attack="none", faces=unattacked(predictions()))
    entries = {entry.method: entry for entry in grid_of(tmp_path).shown}
    assert entries["FaceSwap"].result.folder == attacked
    assert entries["Deepfakes"].result.folder == alone
    assert [entries[name].is_attacked for name in ("FaceSwap", "Deepfakes")] == [True, False]
    assert entries["Deepfakes"].figure("clean", "fnr").value == 0
    assert entries["Deepfakes"].figure("both", "fnr").value is None


def test_the_newest_of_several_results_is_shown_a_seed_that_ran_again_too(tmp_path):
    write_results(tmp_path, started="2026-01-01T00:00:00+00:00", weights="old")
    write_results(tmp_path, started="2025-06-01T00:00:00+00:00", weights="older")
    newest = write_results(tmp_path, started="2026-03-01T00:00:00+00:00", weights="a")
    grid = grid_of(tmp_path)
    assert [result.folder for result in grid.results] == [newest]
    assert len(grid.left_out) == 2


def test_other_results_are_not_in_the_grid(tmp_path):
    write_results(tmp_path, trained_on="Deepfakes", forgery="FaceSwap")
    write_results(tmp_path, forgery="NeuralTextures", defence="sr-edsr-x2 p=0.5")
    write_results(tmp_path, forgery="Deepfakes", test_side=224)
    kept = write_results(tmp_path, forgery="Face2Face")
    assert [result.folder for result in grid_of(tmp_path).results] == [kept]


def test_the_attack_is_the_papers_or_the_most_frequent_or_the_requested_one(tmp_path):
    for method in METHODS:
        write_results(tmp_path, forgery=method, attack="jpeg-q15")
    assert grid_of(tmp_path).attack == "jpeg-q15"
    write_results(tmp_path)
    assert grid_of(tmp_path).attack == "sr-edsr-x2"
    grid = grid_of(tmp_path, attack="jpeg-q15", models=["swin", "resnet50", "swin"], methods=["FaceSwap"])
    assert (grid.attack, len(grid.attacked), len(grid.squares)) == ("jpeg-q15", 1, 2)
    with pytest.raises(UserError, match=r"grid\.attack=jpeg-q25: no results are of it; there are jpeg-q15, sr-edsr-x2"):
        grid_of(tmp_path, attack="jpeg-q25")
    with pytest.raises(UserError, match=r"grid\.models='Swin' is not a choice\. Choices: resnet50, swin, xception"):
        grid_of(tmp_path, models=["Swin"])


def test_without_any_attacked_results_those_of_the_papers_attack_are_asked_for(tmp_path):
    grid = make_grid([result_of(tmp_path, attack="none", faces=unattacked(predictions()))], GridSelection())
    assert (grid.attack, grid.attacked) == ("sr-edsr-x2", [])


def test_p_values_are_corrected_over_all_entries_and_both_rates(tmp_path):
    for number, method in enumerate(METHODS):
        write_results(tmp_path, forgery=method, faces=predictions((0, 0.2 * number), (0, 0.1 * number), 80))
    grid = grid_of(tmp_path)
    keys = [(entry, rate) for entry in grid.attacked for rate in ("fnr", "fpr")]
    raw = [entry.result.metrics.figure("both", rate).p for entry, rate in keys]
    corrected = [entry.figure("both", rate).p for entry, rate in keys]
    assert len(raw) == 10
    assert corrected == pytest.approx(multipletests(raw, method="holm")[1])
    assert min(corrected) < 0.05 < max(corrected)


def test_an_external_detector_is_next_to_trained_ones_of_any_protocol(tmp_path):
    write_results(tmp_path, model="swin", **PAPER)
    external = {"trained_on": "external", "trained_data": "external", "protocol": "external"}
    write_results(tmp_path, model="mine", data="ffpp", **external)
    grid = grid_of(tmp_path)
    assert (grid.protocol, grid.models, len(grid.attacked)) == ("paper", ["swin", "mine"], 2)
    only = make_grid([result for result in read_all(tmp_path) if result.run.is_external], GridSelection())
    assert (only.protocol, only.models) == ("external", ["mine"])


def test_on_another_data_set_a_detector_has_no_method_of_its_own(tmp_path):
    for method in ("FaceSwap", "Deepfakes"):
        crossed = {"data": "celebdf", "trained_on": method, "trained_data": "ffpp"}
        write_results(tmp_path, model=f"swin ({method})", forgery="Celeb-synthesis", **crossed)
    write_results(tmp_path, model="swin", data="ffpp")
    grid = grid_of(tmp_path, data="celebdf")
    assert (grid.models, grid.methods) == (["swin (Deepfakes)", "swin (FaceSwap)"], ["Celeb-synthesis"])
    assert len(grid.attacked) == 2


def test_several_seeds_of_one_training_are_one_entry(tmp_path):
    for seed, missed in enumerate((0.1, 0.2, 0.6)):
        write_results(
            tmp_path, seed=seed, weights=str(seed), started=f"2026-01-0{seed + 1}", faces=predictions((0, missed))
        )
    write_results(tmp_path, seed=1, weights="old", started="2025-01-01", faces=predictions((0, 0.9)))
    write_results(tmp_path, seed=7, recipe="other", weights="o", started="2025-01-01", faces=predictions((0, 0.9)))
    (entry,) = grid_of(tmp_path).attacked
    assert entry.metrics.bootstrap.seeds == 3
    assert entry.figure("both", "fnr").value == pytest.approx(0.3)
    assert [seed.metrics.value("both", "fnr") for seed in entry.result.seeds] == [0.1, 0.2, 0.6]
    # The interval is over the seeds, too: wider than that of the newest.
    around, newest = (each.figure("both", "fnr").interval for each in (entry.metrics, entry.result.seeds[2].metrics))
    assert around[1] - around[0] > newest[1] - newest[0]


def test_the_frame_holds_every_figure_once(tmp_path):
    write_results(tmp_path)
    write_results(tmp_path, model="swin")
    frame = grid_of(tmp_path).frame
    keys = ["model", "method", "setup", "metric"]
    assert not frame.duplicated(keys).any()
    row = frame.set_index(keys).loc["swin", "FaceSwap", "both", "fnr"]
    assert (row["value"], row["change"]) == (0.5, 0.5)
