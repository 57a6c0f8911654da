import numpy as np
import pytest
from result_folders import read, write_results
from scored_faces import predictions
from statsmodels.stats.multitest import multipletests

from sr_deepfake.reporting.grid import METHODS, Wish, make_grid
from sr_deepfake.system.errors import UserError


def not_attacked():
    return predictions().assign(
        score_attacked=np.nan,
        ssim=np.nan,
        psnr=np.nan,
        ssim_224=np.nan,
        psnr_224=np.nan,
        psnr_224_wrapped=np.nan,
    )


def test_the_grid_is_what_was_run_in_the_papers_order(tmp_path):
    for model, method in (("convnext_tiny", "Deepfakes"), ("swin", "FaceSwap"), ("resnet50", "FaceSwap")):
        write_results(tmp_path, model, method, data="ffpp", protocol="paper")
    grid = make_grid(read(tmp_path), Wish())
    assert (grid.models, grid.methods) == (["resnet50", "swin", "convnext_tiny"], ["Deepfakes", "FaceSwap"])
    assert [(entry.model, entry.forgery) for entry in grid.entries] == [
        (model, method) for model in grid.models for method in grid.methods
    ]
    assert [(entry.model, entry.forgery) for entry in grid.shown] == [
        ("resnet50", "FaceSwap"), ("swin", "FaceSwap"), ("convnext_tiny", "Deepfakes"),
    ]  # fmt: skip


def test_other_data_have_the_models_and_methods_that_are_found(tmp_path):
    write_results(tmp_path, "swin", "fake", data="folder")
    grid = make_grid(read(tmp_path), Wish())
    assert (grid.data, grid.models, grid.methods) == ("folder", ["swin"], ["fake"])


def test_clean_figures_are_those_of_the_attacked_results_or_of_any(tmp_path):
    write_results(tmp_path, forgery="FaceSwap", attack="none", faces=not_attacked())
    attacked = write_results(tmp_path, forgery="FaceSwap")
    alone = write_results(tmp_path, forgery="Deepfakes", attack="none", faces=not_attacked())
    entries = {entry.forgery: entry for entry in make_grid(read(tmp_path), Wish()).entries}
    assert entries["FaceSwap"].clean is entries["FaceSwap"].attacked
    assert entries["FaceSwap"].clean.folder == attacked
    assert entries["Deepfakes"].clean.folder == alone
    assert entries["Deepfakes"].attacked is None


def test_the_newest_of_several_results_takes_the_place(tmp_path):
    write_results(tmp_path, started="2026-03-01T00:00:00+00:00", digits="aaaaaa")
    old = write_results(tmp_path, started="2026-01-01T00:00:00+00:00", digits="bbbbbb")
    grid = make_grid(read(tmp_path), Wish())
    ((_, result),) = grid.attacked
    assert result.name.endswith("aaaaaa")
    assert [result.folder for result in grid.left_out] == [old]


def test_defended_and_crossed_results_are_not_in_the_grid(tmp_path):
    write_results(tmp_path, trained_on="Deepfakes", forgery="FaceSwap")
    write_results(tmp_path, forgery="NeuralTextures", defence="sr-edsr-x2 p=0.5")
    kept = write_results(tmp_path, forgery="Face2Face")
    grid = make_grid(read(tmp_path), Wish())
    assert [result.folder for _, result in grid.attacked] == [kept]
    only_crossed = make_grid([result for result in read(tmp_path) if result.folder != kept], Wish())
    assert not only_crossed.shown


def test_the_attack_is_the_papers_or_the_most_frequent_or_the_wished_one(tmp_path):
    for method in METHODS:
        write_results(tmp_path, forgery=method, attack="jpeg-q15")
    assert make_grid(read(tmp_path), Wish()).attack == "jpeg-q15"
    write_results(tmp_path)
    results = read(tmp_path)
    assert make_grid(results, Wish()).attack == "sr-edsr-x2"
    grid = make_grid(results, Wish(attack="jpeg-q15", models=["swin", "resnet50"], methods=["FaceSwap"]))
    assert (grid.attack, len(grid.attacked), len(grid.entries)) == ("jpeg-q15", 1, 2)
    with pytest.raises(UserError, match=r"grid.attack=jpeg-q25: .*Did you mean 'jpeg-q15'"):
        make_grid(results, Wish(attack="jpeg-q25"))


def test_without_any_attacked_results_those_of_the_papers_attack_are_asked_for(tmp_path):
    write_results(tmp_path, attack="none", faces=not_attacked())
    grid = make_grid(read(tmp_path), Wish())
    assert grid.attack == "sr-edsr-x2"
    assert not grid.attacked


def test_p_values_are_corrected_over_all_places_and_both_rates(tmp_path):
    for number, method in enumerate(METHODS):
        write_results(tmp_path, forgery=method, faces=predictions((0, 0.2 * number), (0, 0.1 * number), 80))
    grid = make_grid(read(tmp_path), Wish())
    raw, corrected = [], []
    for entry, result in grid.attacked:
        for rate in ("fnr", "fpr"):
            raw.append(result.metrics["mcnemar"][rate]["faces"]["p_clustered"])
            corrected.append(entry.p_values[rate])
    assert len(raw) == 10
    assert corrected == pytest.approx(multipletests(raw, method="holm")[1])
    assert min(corrected) < 0.05 < max(corrected)


def test_a_detector_from_elsewhere_stands_beside_trained_ones_of_any_protocol(tmp_path):
    write_results(tmp_path, "swin", "FaceSwap", protocol="paper")
    write_results(
        tmp_path, "mine", "FaceSwap", protocol="external", trained_on="external", trained_data="external"
    )
    grid = make_grid(read(tmp_path), Wish())
    assert (grid.protocol, grid.models) == ("paper", ["swin", "mine"])
    assert len(grid.attacked) == 2
    alone = make_grid([result for result in read(tmp_path) if result.is_external], Wish())
    assert (alone.protocol, alone.models) == ("external", ["mine"])


def test_on_another_data_set_a_detector_has_no_method_of_its_own(tmp_path):
    for method in ("FaceSwap", "Deepfakes"):
        write_results(
            tmp_path,
            f"swin ({method})",
            "Celeb-synthesis",
            data="celebdf",
            trained_on=method,
            trained_data="ffpp",
        )
    write_results(tmp_path, "swin", "FaceSwap", data="ffpp")
    grid = make_grid(read(tmp_path), Wish(data="celebdf"))
    assert (grid.models, grid.methods) == (["swin (Deepfakes)", "swin (FaceSwap)"], ["Celeb-synthesis"])
    assert len(grid.attacked) == 2
