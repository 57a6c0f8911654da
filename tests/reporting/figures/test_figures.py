"""What the report's figures draw, and that nothing in them is cut off, tiny or told by colour alone."""

import itertools
import json

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from PIL import Image
from result_folders import CAPTION, read, write_results
from scored_faces import predictions
from sklearn.metrics import auc, roc_auc_score

from sr_deepfake.reporting.figures.changes import change_figure
from sr_deepfake.reporting.figures.roc import roc_curve, roc_figures
from sr_deepfake.reporting.figures.scores import score_figure, similarity_figure
from sr_deepfake.reporting.figures.strength import strength_figure, strengths
from sr_deepfake.reporting.figures.style import (
    _STYLE,
    COLUMN,
    DOTS,
    PAGE,
    SMALLEST,
    drawn,
    file_name,
    save_figure,
)
from sr_deepfake.reporting.figures.training import read_curve, training_figure
from sr_deepfake.reporting.grid import Wish, make_grid


def line():
    return drawn(lambda figure: figure.subplots().plot([1, 3, 2]), height=2)


def test_a_figure_is_as_wide_as_a_column_of_a_paper(tmp_path):
    png, svg = save_figure(line(), tmp_path / "new" / "figure")
    with Image.open(png) as picture:
        assert picture.size == (COLUMN * DOTS, 2 * DOTS)
        assert picture.info["dpi"] == pytest.approx((DOTS, DOTS), abs=0.1)
    assert 'width="237.6pt"' in svg.read_text()  # 3.3 inches of 72 points
    assert sorted(file.name for file in png.parent.iterdir()) == ["figure.png", "figure.svg"]


def test_the_same_figure_is_the_same_file(tmp_path):
    first, second = (save_figure(line(), tmp_path / name / "figure") for name in ("a", "b"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_the_caption_is_on_the_figure_as_text(tmp_path):
    _, svg = save_figure(line(), tmp_path / "figure", "Illustration only: " + "generated people. " * 8)
    assert "Illustration only: generated people." in svg.read_text()


def test_the_style_does_not_leak_into_figures_of_others(tmp_path):
    before = {name: matplotlib.rcParams[name] for name in _STYLE}
    save_figure(line(), tmp_path / "figure", "caption")
    assert {name: matplotlib.rcParams[name] for name in _STYLE} == before != _STYLE


def grid_of(outputs, **wish):
    return make_grid(read(outputs), Wish(**wish))


def noisy(seed, count=40):
    rng = np.random.default_rng(seed)
    faces = predictions(count=count)
    clean = np.clip(0.3 + 0.4 * faces["label"] + rng.normal(0, 0.2, 2 * count), 0, 1)
    attacked = np.clip(clean - 0.1 + rng.normal(0, 0.1, 2 * count), 0, 1)
    return faces.assign(score=clean, score_attacked=attacked, ssim=rng.uniform(0.9, 1, 2 * count))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Two models and two methods, without swin on Deepfakes; JPEG in three strengths on one detector."""
    folder = tmp_path_factory.mktemp("outputs")
    write_results(folder, "resnet50", "Deepfakes", faces=noisy(1))
    write_results(folder, "resnet50", "FaceSwap", faces=noisy(2))
    write_results(folder, "swin", "FaceSwap", faces=noisy(3))
    for label, ssim, missed in (("jpeg-q7", 0.7, 0.9), ("jpeg-q25", 0.9, 0.3), ("jpeg-q15", 0.8, 0.6)):
        write_results(folder, attack=label, faces=predictions((0.1, missed)).assign(ssim=ssim))
    return folder


@pytest.fixture(scope="module")
def grid(outputs):
    return grid_of(outputs, models=["resnet50", "swin"], methods=["Deepfakes", "FaceSwap"])


@pytest.fixture(scope="module")
def figures(grid, outputs):
    drawn = [
        change_figure(grid), *roc_figures(grid), score_figure(grid), similarity_figure(grid),
        strength_figure(read(outputs), grid),
    ]  # fmt: skip
    return {figure.name: figure for figure in drawn}


def test_there_is_a_figure_of_each_kind_and_one_roc_a_model(figures):
    assert list(figures) == ["changes", "roc_resnet50", "roc_swin", "scores", "ssim", "strength"]


def test_figures_are_as_wide_as_a_column_or_a_page_with_text_of_seven_points(figures, tmp_path):
    for figure in figures.values():
        assert figure.figure.get_figwidth() in (COLUMN, PAGE)
        figure.write(tmp_path, CAPTION)
        sizes = [text.get_fontsize() for text in figure.figure.findobj(Text) if text.get_text()]
        assert min(sizes) >= SMALLEST


def test_nothing_is_cut_off(figures):
    for name, figure in figures.items():
        figure.figure.draw_without_rendering()
        width, height = figure.figure.get_size_inches()
        box = figure.figure.get_tightbbox()
        assert min(box.x0, box.y0) > -0.02, name
        assert box.x1 < width + 0.02, name
        assert box.y1 < height + 0.02, name


def test_the_files_are_the_same_each_time_and_text_stays_text(figures, tmp_path):
    for figure in figures.values():
        first = [file.read_bytes() for file in figure.write(tmp_path / "a", CAPTION)]
        assert first == [file.read_bytes() for file in figure.write(tmp_path / "b", CAPTION)]
        svg = first[1].decode()
        assert "<text" in svg
        assert CAPTION in svg
        assert "<dc:date>" not in svg
    size = figure.figure.get_size_inches().tolist()
    figure.write(tmp_path / "c")
    assert figure.figure.get_size_inches().tolist() == size  # the caption's room is given back
    assert CAPTION not in (tmp_path / "c" / f"{figure.name}.svg").read_text()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=40))
def test_the_roc_curve_has_the_exact_area_and_no_superfluous_point(faces):
    scores, labels = np.array([score / 6 for score, _ in faces]), np.array([label for _, label in faces])
    fpr, tpr = roc_curve(scores, labels)
    if labels.min() == labels.max():
        assert not len(fpr)
        return
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert auc(fpr, tpr) == pytest.approx(roc_auc_score(labels, scores))
    for (x0, y0), (x1, y1), (x2, y2) in zip(
        *(list(zip(fpr, tpr, strict=True))[n:] for n in range(3)), strict=False
    ):
        assert abs((x1 - x0) * (y2 - y1) - (x2 - x1) * (y1 - y0)) > 1e-12


def test_roc_legend_has_the_auc_and_solid_clean_and_dashed_attacked_lines(figures, grid):
    figure = figures["roc_resnet50"].figure
    entry = next(entry for entry in grid.entries if entry.forgery == "FaceSwap")
    clean, attacked = (entry.attacked.metrics[setup]["auc"] * 100 for setup in ("clean", "both"))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"FaceSwap {clean:.1f} → {attacked:.1f}" in legend
    main, inset = figure.axes[0], figure.axes[0].child_axes[0]
    styles = [line.get_linestyle() for line in main.get_lines()[:4]]
    assert styles == ["-", "--", "-", "--"]
    assert inset.get_xlim() == (0, 0.1)
    # Without colour, methods are told by marker, clean from attacked by line and filling.
    looks = [
        (line.get_marker(), line.get_linestyle(), line.get_markerfacecolor() == "white")
        for line in main.get_lines()[:4]
    ]
    assert len(set(looks)) == 4


def test_the_dumbbell_goes_from_clean_to_attacked_of_each_detector(figures, grid):
    for panel, rate in zip(figures["changes"].figure.axes, ("fnr", "fpr"), strict=True):
        ends = {
            tuple(np.round(line.get_xdata(), 6)) for line in panel.get_lines() if len(line.get_xdata()) == 2
        }
        expected = {
            tuple(np.round([100 * result.metrics[setup][rate] for setup in ("clean", "both")], 6))
            for _, result in grid.attacked
        }
        assert ends == expected


def test_score_panels_hold_each_class_in_full_and_missing_ones_say_so(figures):
    figure = figures["scores"].figure
    shares = [patch.get_data()[0].sum() for panel in figure.axes for patch in panel.patches]
    assert np.abs(shares) == pytest.approx([100] * 12)
    words = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert words == ["missing"]


def test_the_correlation_stands_in_its_panel_with_the_interval(figures, grid):
    entry, result = grid.attacked[0]
    r = result.metrics["correlation"]["pooled"]["ssim"]["score"]["pearson"]
    low, high = result.metrics["intervals"]["correlation"]["pooled"]["ssim"]["score"]["pearson"]
    panel = figures["ssim"].figure.axes[0]
    assert entry.forgery == panel.get_title()
    assert panel.texts[0].get_text() == f"r = {r:+.2f}\n[{low:+.2f}, {high:+.2f}]"


def test_strengths_are_ordered_from_the_mildest_and_of_the_same_detectors(outputs):
    found = strengths(read(outputs))
    assert list(found) == ["jpeg"]
    assert list(found["jpeg"]) == ["jpeg-q25", "jpeg-q15", "jpeg-q7"]
    figure = strength_figure(read(outputs), grid_of(outputs)).figure
    (line, _) = figure.axes[0].get_lines()
    assert line.get_ydata() == pytest.approx([10, 30, 60, 90])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["clean", "q25", "q15", "q7"]


def test_one_strength_makes_no_curve(tmp_path):
    write_results(tmp_path)
    write_results(tmp_path, "swin", attack="sr-edsr-x4")  # of another detector
    assert strength_figure(read(tmp_path), grid_of(tmp_path)) is None


def test_nothing_attacked_draws_only_clean_curves(tmp_path):
    empty = dict.fromkeys(
        ("score_attacked", "ssim", "psnr", "ssim_224", "psnr_224", "psnr_224_wrapped"), np.nan
    )
    write_results(tmp_path, attack="none", faces=noisy(1).assign(**empty))
    grid = grid_of(tmp_path)
    assert change_figure(grid) is score_figure(grid) is similarity_figure(grid) is None
    (roc,) = roc_figures(grid)
    assert len(roc.figure.axes[0].get_lines()) == 2  # one curve and the diagonal


@pytest.fixture
def trained(tmp_path):
    """Outputs whose only detector was logged in a run's folder, as it was called before the outputs were moved."""
    outputs = tmp_path / "moved"
    write_results(outputs)
    (result,) = read(outputs)
    run = outputs / "sweeps" / "train" / "now" / "0"
    (run / "csv").mkdir(parents=True)
    columns = {"epoch": [0, 0, 1, 1, np.nan], "train/loss_epoch": [np.nan, 0.9, np.nan, 0.5, np.nan]}
    columns |= {"val/loss": [0.8, np.nan, 0.6, np.nan, np.nan], "val/auc": [0.7, np.nan, 0.9, np.nan, np.nan]}
    pd.DataFrame(columns).to_csv(run / "csv" / "metrics.csv", index=False)
    detector = outputs / "detectors" / result.detector
    detector.mkdir(parents=True)
    config = {"log_folder": "/gone/outputs/sweeps/train/now/0"}
    (detector / "provenance.json").write_text(json.dumps({"config": config}))
    (detector / "finished.json").write_text(json.dumps({"best_epoch": 1}))
    return outputs


def test_training_curves_come_from_the_run_that_the_detector_names(trained):
    (result,) = read(trained)
    curve = read_curve(result)
    assert curve.epochs.index.tolist() == [1, 2]
    assert curve.epochs["train/loss_epoch"].tolist() == [0.9, 0.5]
    assert curve.epochs["val/auc"].tolist() == [0.7, 0.9]
    assert curve.best == 2
    figure, without = training_figure(grid_of(trained))
    assert not without
    line = figure.figure.axes[2].get_lines()[0]
    assert line.get_ydata().tolist() == [70.0, 90.0]


@pytest.mark.parametrize("damage", ["", "epoch\n\x00", "a,b\n1,2\n"])
def test_detectors_without_curves_are_named(trained, damage):
    (trained / "sweeps" / "train" / "now" / "0" / "csv" / "metrics.csv").write_text(damage)
    figure, without = training_figure(grid_of(trained))
    assert figure is None
    assert without == [read(trained)[0].detector]


def test_names_of_files_are_safe():
    assert file_name("roc_../../<b>") == "roc_.._.._b_".replace("_b_", "__b_")


def test_the_style_of_others_is_left_alone(figures, tmp_path):
    before = dict(matplotlib.rcParams)
    for figure in itertools.islice(figures.values(), 1):
        figure.write(tmp_path)
    assert dict(matplotlib.rcParams) == before
