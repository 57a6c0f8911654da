"""What the report's figures draw, and that nothing in them is cut off, tiny or distinguished by colour alone."""

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text
from page_reports import FALL, write_evidence
from PIL import Image
from result_folders import CAPTION, grid_of, read_all, write_results
from scored_faces import completed, predictions, unattacked

from sr_deepfake.experiment.evidence import read_evidence
from sr_deepfake.metrics.spectrum import BANDS
from sr_deepfake.reporting.figures.curves import curve_figures
from sr_deepfake.reporting.figures.rates import change_figure, strength_figure, strengths
from sr_deepfake.reporting.figures.scores import score_figures
from sr_deepfake.reporting.figures.spectrum import band_figure, spectrum_figure
from sr_deepfake.reporting.figures.style import _STYLE, COLUMN, DOTS, PAGE, SMALLEST, add_caption, drawn, save_figure


def line():
    return drawn(lambda figure: figure.subplots().plot([1, 3, 2]), height=2)


def test_a_figure_is_as_wide_as_a_column_of_a_paper(tmp_path):
    figure = line()
    png, svg = save_figure(figure, tmp_path / "figure")
    bounds = figure.axes[0].get_position().bounds
    assert bounds == tuple(round(bound, 6) for bound in bounds)  # further digits would differ from run to run
    with Image.open(png) as picture:
        assert picture.size == (COLUMN * DOTS, 2 * DOTS)
        assert picture.info["dpi"] == pytest.approx((DOTS, DOTS), abs=0.1)
    assert 'width="237.6pt"' in svg.read_text()  # 3.3 inches of 72 points
    assert sorted(file.name for file in tmp_path.iterdir()) == ["figure.png", "figure.svg"]


def test_the_style_does_not_leak_into_figures_of_others(tmp_path):
    before = dict(matplotlib.rcParams)
    figure = line()
    add_caption(figure, "caption")
    save_figure(figure, tmp_path / "figure")
    assert dict(matplotlib.rcParams) == before
    assert {name: before[name] for name in _STYLE} != _STYLE


def noisy(seed, count=40):
    rng = np.random.default_rng(seed)
    faces = predictions(count=count).drop(columns=["logit", "logit_attacked"])
    clean = np.clip(0.3 + 0.4 * faces["label"] + rng.normal(0, 0.2, 2 * count), 0, 1)
    attacked = np.clip(clean - 0.1 + rng.normal(0, 0.1, 2 * count), 0, 1)
    return completed(faces.assign(score=clean, score_attacked=attacked, ssim=rng.uniform(0.9, 1, 2 * count)))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Two models and two methods, without swin on Deepfakes; JPEG in three strengths on one detector."""
    folder = tmp_path_factory.mktemp("outputs")
    write_results(folder, forgery="Deepfakes", faces=noisy(1))
    write_results(folder, faces=noisy(2))
    write_results(folder, model="swin", faces=noisy(3))
    for label, ssim, missed in (("jpeg-q7", 0.7, 0.9), ("jpeg-q25", 0.9, 0.3), ("jpeg-q15", 0.8, 0.6)):
        write_results(folder, attack=label, faces=predictions((0.1, missed)).assign(ssim=ssim))
    return folder


@pytest.fixture(scope="module")
def grid(outputs):
    return grid_of(outputs, models=["resnet50", "swin"], methods=["Deepfakes", "FaceSwap"])


@pytest.fixture(scope="module")
def figures(grid, outputs):
    """All of them, with a caption."""
    drawn = [
        change_figure(grid), *curve_figures(grid), *score_figures(grid), strength_figure(read_all(outputs), grid),
    ]  # fmt: skip
    for each in drawn:
        add_caption(each.figure, CAPTION)
    assert [each.name for each in drawn] == [
        "changes", "roc_resnet50", "reliability_resnet50", "roc_swin", "reliability_swin", "scores", "ssim", "strength",
    ]  # fmt: skip
    return {figure.name: figure for figure in drawn}


def test_nothing_is_cut_off_or_smaller_than_seven_points(figures):
    for name, figure in figures.items():
        figure.figure.draw_without_rendering()
        width, height = figure.figure.get_size_inches()
        assert width in (COLUMN, PAGE)
        assert min(text.get_fontsize() for text in figure.figure.findobj(Text) if text.get_text()) >= SMALLEST
        box = figure.figure.get_tightbbox()
        assert min(box.x0, box.y0) > -0.02, name
        assert box.x1 < width + 0.02, name
        assert box.y1 < height + 0.02, name


def test_roc_legend_has_the_auc_and_solid_clean_and_dashed_attacked_lines(figures, grid):
    figure = figures["roc_resnet50"].figure
    entry = next(entry for entry in grid.shown if entry.method == "FaceSwap")
    clean, attacked = (entry.figure(setup, "auc").value * 100 for setup in ("clean", "both"))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"FaceSwap {clean:.1f} → {attacked:.1f}" in legend
    main, inset = figure.axes[0], figure.axes[0].child_axes[0]
    assert [line.get_linestyle() for line in main.get_lines()[:4]] == ["-", "--", "-", "--"]
    assert inset.get_xlim() == (0, 0.1)
    # Without colour, methods differ by marker, clean from attacked by line and filling.
    looks = [
        (line.get_marker(), line.get_linestyle(), line.get_markerfacecolor() == "white")
        for line in main.get_lines()[:4]
    ]
    assert len(set(looks)) == 4


def test_the_dumbbell_goes_from_clean_to_attacked_of_each_detector(figures, grid):
    for panel, rate in zip(figures["changes"].figure.axes, ("fnr", "fpr"), strict=True):
        ends = {
            tuple(np.round(line.get_xdata(), 6))
            for line in panel.get_lines()
            if len(line.get_xdata()) == 2 and line.get_ydata()[0] % 1 == 0  # those beside a row are intervals
        }
        expected = {
            tuple(np.round([100 * entry.figure(setup, rate).value for setup in ("clean", "both")], 6))
            for entry in grid.attacked
        }
        assert ends == expected


def test_score_panels_hold_each_class_in_full_and_missing_ones_say_so(figures):
    figure = figures["scores"].figure
    shares = [patch.get_data()[0].sum() for panel in figure.axes for patch in panel.patches]
    assert np.abs(shares) == pytest.approx([100] * 12)
    words = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert words == ["missing"]


def test_the_correlation_is_in_its_panel_with_the_interval(figures, grid):
    entry = grid.attacked[0]
    figure = entry.figure("correlation", "ssim_pearson")
    panel = figures["ssim"].figure.axes[0]
    assert entry.method == panel.get_title()
    r, low, high = (f"{value:+.2f}".replace("-", "−") for value in (figure.value, figure.low, figure.high))
    assert panel.texts[0].get_text() == f"r = {r}\n[{low}, {high}]"


def test_the_reliability_diagram_has_the_error_in_its_legend(figures, grid):
    entry = next(entry for entry in grid.shown if entry.name == "resnet50 on FaceSwap")
    clean, attacked = (entry.figure(setup, "ece").value for setup in ("clean", "both"))
    legend = [text.get_text() for text in figures["reliability_resnet50"].figure.legends[0].get_texts()]
    assert f"FaceSwap {clean:.3f} → {attacked:.3f}" in legend


def test_strengths_are_ordered_from_the_mildest_and_of_the_same_detectors(outputs):
    found = strengths(read_all(outputs))
    assert list(found) == ["jpeg"]
    assert list(found["jpeg"]) == ["jpeg-q25", "jpeg-q15", "jpeg-q7"]
    figure = strength_figure(read_all(outputs), grid_of(outputs)).figure
    (line, _) = figure.axes[0].get_lines()
    assert line.get_ydata() == pytest.approx([10, 30, 60, 90])
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["clean", "q25", "q15", "q7"]


def test_each_forgery_method_of_an_external_detector_is_a_result_of_its_own(tmp_path):
    for day, (method, fnr) in enumerate((("FaceSwap", 0.2), ("Deepfakes", 0.6)), 1):
        for attack in ("jpeg-q25", "jpeg-q15"):
            faces = predictions((0.0, fnr), ssim=0.9 if attack == "jpeg-q25" else 0.8)
            info = {"trained_on": "external", "detector": "mine", "forgery": method, "attack": attack}
            write_results(tmp_path, faces, started=f"2026-01-0{day}T00:00:00+00:00", **info)
    (found,) = strengths(read_all(tmp_path)).values()
    rates = [{each.run.forgery: each.metrics.value("both", "fnr") for each in results} for results in found.values()]
    assert rates == [{"Deepfakes": pytest.approx(0.6), "FaceSwap": pytest.approx(0.2)}] * 2


def test_one_strength_makes_no_curve(tmp_path):
    write_results(tmp_path)
    write_results(tmp_path, model="swin", attack="sr-edsr-x4")  # of another detector
    assert strength_figure(read_all(tmp_path), grid_of(tmp_path)) is None


def test_nothing_attacked_draws_only_clean_curves(tmp_path):
    write_results(tmp_path, attack="none", faces=unattacked(noisy(1)))
    grid = grid_of(tmp_path)
    assert change_figure(grid) is None
    assert score_figures(grid) == []
    assert [len(figure.figure.axes[0].get_lines()) for figure in curve_figures(grid)] == [2, 2]  # a curve, the diagonal


@pytest.fixture
def found(tmp_path):
    """The grid's only detector and what its test kept."""
    write_evidence(write_results(tmp_path))
    grid = grid_of(tmp_path)
    return [(entry, read_evidence(entry.result.folder)) for entry in grid.attacked], grid


def test_spectra_are_against_clean_pristine_faces(found):
    figure = spectrum_figure(*found)
    first, second = figure.figure.axes
    assert [line.get_ydata()[0] for line in first.lines[1:]] == pytest.approx([0, -10, -20])
    assert [line.get_ydata()[-1] for line in second.lines[1:]] == pytest.approx([10 * np.log10(2), 0])
    assert (first.get_title(), second.get_title()) == ("pristine", "FaceSwap")
    assert "24 pristine, 20 FaceSwap" in figure.caption
    assert len(first.lines[1].get_xdata()) == len(FALL)
    assert spectrum_figure([], found[1]) is None


def test_bars_of_the_bands_are_one_after_the_other_and_the_whole_is_a_diamond(found):
    fakes, pristine = band_figure(*found).figure.axes
    bars = [[bar.get_x(), bar.get_width()] for bar in fakes.patches][: len(BANDS)]
    np.testing.assert_allclose(bars, [[0, 0], [0, -0.5], [-0.5, -1.0], [-1.5, -1.5]])
    assert [line.get_xdata()[0] for line in fakes.lines if line.get_marker() == "D"] == [-2.0]
    assert [line.get_xdata()[0] for line in pristine.lines if line.get_marker() == "D"] == [0.05]
    assert [label.get_text() for label in fakes.get_yticklabels()] == ["FaceSwap"]
    assert band_figure([], found[1]) is None
