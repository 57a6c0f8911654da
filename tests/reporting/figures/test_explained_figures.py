import numpy as np
import page_reports
import pytest

from sr_deepfake.metrics.spectrum import BANDS, RINGS
from sr_deepfake.reporting.explanations import BAND_NAMES, BandChange, Explanations, Spectrum, band_table
from sr_deepfake.reporting.figures.attention import SHOWN, attention_figure
from sr_deepfake.reporting.figures.spectrum import band_figure, spectrum_figure

GRID = page_reports.grid(
    [page_reports.entry("swin", "FaceSwap"), page_reports.entry("resnet50", "Deepfakes")]
)
FALL = np.linspace(100, 1, RINGS)
FOUND = Explanations(
    [
        Spectrum("pristine", {"clean": FALL, "attacked": FALL / 10, "control": FALL / 100}, 24),
        Spectrum("FaceSwap", {"clean": FALL * 2, "attacked": FALL}, 20),
    ],
    [
        BandChange("swin", "FaceSwap", [-2.0, -0.5, 0.5, -1.0, -1.5], [1.0, 0.0, 0.25, 0.25, 0.25]),
        BandChange("resnet50", "Deepfakes", [0.05, 1.0, 1.0, 1.0, 1.0], None),
    ],
)


def test_spectra_are_against_clean_pristine_faces():
    figure = spectrum_figure(FOUND, GRID)
    first, second = figure.figure.axes
    levels = [line.get_ydata()[0] for line in first.lines[1:]]
    assert levels == pytest.approx([0, -10, -20])
    assert [line.get_ydata()[-1] for line in second.lines[1:]] == pytest.approx([10 * np.log10(2), 0])
    assert (first.get_title(), second.get_title()) == ("pristine", "FaceSwap")
    assert "24 pristine, 20 FaceSwap" in figure.caption
    assert spectrum_figure(Explanations(), GRID) is None


def test_bars_of_the_bands_lie_one_after_the_other_and_the_whole_is_a_diamond():
    figure = band_figure(FOUND, GRID)
    fakes, pristine = figure.figure.axes
    bars = [[bar.get_x(), bar.get_width()] for bar in fakes.patches][: len(BANDS)]
    np.testing.assert_allclose(bars, [[0, -0.5], [0, 0.5], [-0.5, -1.0], [-1.5, -1.5]])
    assert [line.get_xdata()[0] for line in fakes.lines if line.get_marker() == "D"] == [-2.0, 0.05]
    assert [line.get_xdata()[0] for line in pristine.lines if line.get_marker() == "D"] == [1.0]
    assert [label.get_text() for label in fakes.get_yticklabels()] == ["FaceSwap", "Deepfakes"]
    assert band_figure(Explanations(), GRID) is None


def test_the_table_tells_shares_of_changes_that_are_some():
    table = band_table(FOUND, GRID, "Illustration.")
    assert [list(row) for row in table.rows] == [
        ["Swin", "FaceSwap", "fakes", "-2.00", "25", "-25", "50", "75"],
        ["Swin", "FaceSwap", "pristine", "+1.00", "0", "25", "25", "25"],
        ["Resnet50", "Deepfakes", "fakes", "+0.05", None, None, None, None],
    ]
    assert len(table.columns) == 4 + len(BAND_NAMES) == 4 + len(BANDS)
    assert table.caption.endswith("Illustration.")
    assert band_table(Explanations(), GRID) is None


def test_the_largest_changes_are_looked_at(tmp_path):
    examples = [page_reports.example(drop=0.01 * place, seed=place) for place in range(60, 50, -1)]
    figure = attention_figure(examples[::-1])
    shown = [panel.images[0].get_array() for panel in figure.figure.axes]
    expected = [
        picture
        for example in examples[:SHOWN]
        for picture in (example.clean, example.heat, example.attacked, example.heat_attacked)
    ]
    assert len(shown) == len(expected)
    assert all(np.array_equal(*pair) for pair in zip(shown, expected, strict=True))
    png, svg = figure.write(tmp_path, "Illustration.")
    assert png.stat().st_size > 10_000
    assert "Illustration." in svg.read_text()
    assert attention_figure([]) is None
