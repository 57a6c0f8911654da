import matplotlib
import pytest
from PIL import Image

from sr_deepfake.reporting.figures.style import _STYLE, COLUMN, DOTS, drawn, save_figure


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
