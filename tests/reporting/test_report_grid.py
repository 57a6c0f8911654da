import numpy as np
import pytest
from result_folders import read, write_results
from scored_faces import predictions
from statsmodels.stats.multitest import multipletests

from sr_deepfake.reporting.grid import METHODS, MODELS, Wish, make_grid
from sr_deepfake.system.errors import UserError


def fill(*place):
    return "make " + " ".join(place), "no reason"


def not_attacked():
    return predictions().assign(score_attacked=np.nan, ssim=np.nan, psnr=np.nan, psnr_wrapped=np.nan)


def test_the_papers_data_have_the_papers_grid_and_its_order(tmp_path):
    write_results(tmp_path, "swin", "FaceSwap", data="ffpp", protocol="paper")
    write_results(tmp_path, "convnext_tiny", "Deepfakes", data="ffpp", protocol="paper")
    grid = make_grid(read(tmp_path), Wish(), fill)
    assert grid.models == [*MODELS, "convnext_tiny"]
    assert grid.methods == list(METHODS)
    assert [(place.model, place.forgery) for place in grid.places] == [
        (model, method) for model in grid.models for method in METHODS
    ]
    assert len(grid.missing) == 18
    assert grid.missing[0].commands == ("make resnet50 Deepfakes sr-edsr-x2 ffpp paper",)
    assert [(place.model, place.forgery) for place, _ in grid.attacked] == [
        ("swin", "FaceSwap"), ("convnext_tiny", "Deepfakes"),
    ]  # fmt: skip


def test_other_data_have_the_models_and_methods_that_are_found(tmp_path):
    write_results(tmp_path, "swin", "fake", data="folder")
    grid = make_grid(read(tmp_path), Wish(), fill)
    assert (grid.data, grid.models, grid.methods) == ("folder", ["swin"], ["fake"])


def test_clean_figures_are_those_of_the_attacked_results_or_of_any(tmp_path):
    write_results(tmp_path, forgery="FaceSwap", attack="none", faces=not_attacked())
    attacked = write_results(tmp_path, forgery="FaceSwap")
    alone = write_results(tmp_path, forgery="Deepfakes", attack="none", faces=not_attacked())
    places = {place.forgery: place for place in make_grid(read(tmp_path), Wish(), fill).places}
    assert places["FaceSwap"].clean is places["FaceSwap"].attacked
    assert places["FaceSwap"].clean.folder == attacked
    assert places["Deepfakes"].clean.folder == alone
    assert places["Deepfakes"].attacked is None
    assert places["Deepfakes"].reason == "no reason"
    assert places["NeuralTextures"].clean is None


def test_the_newest_of_several_results_takes_the_place(tmp_path):
    write_results(tmp_path, started="2026-03-01T00:00:00+00:00", digits="aaaaaa")
    old = write_results(tmp_path, started="2026-01-01T00:00:00+00:00", digits="bbbbbb")
    grid = make_grid(read(tmp_path), Wish(), fill)
    ((_, result),) = grid.attacked
    assert result.name.endswith("aaaaaa")
    assert [result.folder for result in grid.left_out] == [old]


def test_defended_and_crossed_results_are_not_in_the_grid(tmp_path):
    write_results(tmp_path, trained_on="Deepfakes", forgery="FaceSwap")
    write_results(tmp_path, forgery="NeuralTextures", defence="sr-edsr-x2 p=0.5")
    kept = write_results(tmp_path, forgery="Face2Face")
    grid = make_grid(read(tmp_path), Wish(), fill)
    assert [result.folder for _, result in grid.attacked] == [kept]
    only_crossed = make_grid([result for result in read(tmp_path) if result.folder != kept], Wish(), fill)
    assert len(only_crossed.missing) == len(only_crossed.places)


def test_the_attack_is_the_papers_or_the_most_frequent_or_the_wished_one(tmp_path):
    for method in METHODS:
        write_results(tmp_path, forgery=method, attack="jpeg-q15")
    assert make_grid(read(tmp_path), Wish(), fill).attack == "jpeg-q15"
    write_results(tmp_path)
    results = read(tmp_path)
    assert make_grid(results, Wish(), fill).attack == "sr-edsr-x2"
    grid = make_grid(
        results, Wish(attack="jpeg-q15", models=["swin", "resnet50"], methods=["FaceSwap"]), fill
    )
    assert (grid.attack, len(grid.attacked), len(grid.missing)) == ("jpeg-q15", 1, 1)
    with pytest.raises(UserError, match=r"grid.attack=jpeg-q25: .*Did you mean 'jpeg-q15'"):
        make_grid(results, Wish(attack="jpeg-q25"), fill)


def test_without_any_attacked_results_those_of_the_papers_attack_are_missing(tmp_path):
    write_results(tmp_path, attack="none", faces=not_attacked())
    grid = make_grid(read(tmp_path), Wish(), fill)
    assert grid.attack == "sr-edsr-x2"
    assert len(grid.missing) == 5
    with pytest.raises(UserError, match="no results yet"):
        make_grid([], Wish(), fill)


def test_p_values_are_corrected_over_all_places_and_both_rates(tmp_path):
    for number, method in enumerate(METHODS):
        write_results(tmp_path, forgery=method, faces=predictions((0, 0.2 * number), (0, 0.1 * number), 80))
    grid = make_grid(read(tmp_path), Wish(), fill)
    raw, corrected = [], []
    for place, result in grid.attacked:
        for rate in ("fnr", "fpr"):
            raw.append(result.metrics["mcnemar"][rate]["faces"]["p_clustered"])
            corrected.append(place.p_values[rate])
    assert len(raw) == 10
    assert corrected == pytest.approx(multipletests(raw, method="holm")[1])
    assert min(corrected) < 0.05 < max(corrected)
