import numpy as np
import pytest
from result_folders import read, write_results
from scipy.stats import pearsonr
from scored_faces import predictions

from sr_deepfake.reporting.comparison import check_comparable, comparison_tables
from sr_deepfake.reporting.grid import Wish, make_grid
from sr_deepfake.system.errors import UserError


def grid_of(outputs, **what):
    write_results(outputs, **what)
    return make_grid(read(outputs), Wish())


@pytest.fixture
def paper_grid(tmp_path):
    faces = predictions((0.05, 0.125), (0, 0), ssim=0.9671, psnr=37.0)
    return grid_of(tmp_path, data="ffpp", protocol="paper", faces=faces)


def test_the_published_figure_and_the_difference_stand_beside_ones_own(paper_grid):
    first, second, _ = comparison_tables(paper_grid, force=False)
    rows = {tuple(row[:3]): row[3:] for row in first.rows}
    assert list(first.columns[3:9]) == ["FNR", "FNR paper", "FNR Δ", "FPR", "FPR paper", "FPR Δ"]
    assert rows["Resnet50", "FaceSwap", "×"][:6] == ["5.0", "6.4", "-1.4", "0.0", "1.9", "-1.9"]
    assert rows["Resnet50", "FaceSwap", "✓"][:3] == ["12.5", "21.1", "-8.6"]
    assert len(first.rows) == 2  # what was run
    assert {tuple(row[:3]): row[3:] for row in second.rows}["Resnet50", "FaceSwap", "✓"][9:12] == [
        "100.0",
        "97.6",
        "+2.4",
    ]
    assert not first.remarks
    assert not first.title.startswith("NOT")


def test_the_papers_figures_are_compared_with_those_at_224_px(paper_grid):
    third = comparison_tables(paper_grid, force=False)[2]
    rows = {row[0]: row[1:] for row in third.rows}
    #                            own size          SSIM at 224, paper's, difference; PSNR likewise
    assert rows["FaceSwap"] == ["0.967", "37.0", "0.980", "0.967", "+0.013", "36.0", "39.7", "-3.7"]
    assert list(rows) == ["Pristine", "FaceSwap"]


def test_other_data_are_refused_unless_forced_and_then_labelled(tmp_path):
    grid = grid_of(tmp_path, data="sample")
    with pytest.raises(UserError, match=r"data=sample.*FaceForensics.*compare_force=true"):
        comparison_tables(grid, force=False)
    tables = comparison_tables(grid, force=True)
    assert all(table.title.startswith("NOT COMPARABLE: ") for table in tables)
    assert all("the differences say nothing" in " ".join(table.remarks) for table in tables)
    assert tables[0].latex().count("NOT COMPARABLE") == 1


def test_another_attack_or_protocol_is_labelled(tmp_path):
    grid = grid_of(tmp_path, data="ffpp", protocol="quick", attack="jpeg-q15")
    labels = " ".join(check_comparable(grid, force=False))
    assert "jpeg-q15" in labels
    assert "protocol=quick" in labels


def test_other_weights_and_compressions_are_named(tmp_path):
    def labels(weights, compression):
        config = {"sr_model": {"weights": weights}, "data": {"source": {"compression": compression}}}
        folder = tmp_path / f"{weights}{compression}"
        return check_comparable(grid_of(folder, data="ffpp", protocol="paper", config=config), force=False)

    assert labels("official", "c23") == []
    assert labels(None, "c23") == [
        "EDSR has the weights of this package here, not its authors' (sr_model.weights=official)."
    ]
    assert labels("official", "c40") == ["The videos are of compression c40, not c23."]


@pytest.mark.parametrize(
    ("protocol", "options", "expected"),
    [
        ("paper", {"extraction": {"margin": 0.3, "frames": 10}},
         "Other than protocol=paper: extraction.margin=0.3, not 0.1."),
        ("paper", {"extraction": {"square": "shorter"}, "protocol": {"resize": "authors"}},
         "Other than protocol=paper: extraction.square=shorter, not longer; protocol.resize=authors, not bilinear."),
        ("authors_code", {"extraction": {"square": "shorter"}, "protocol": {"resize": "authors"}}, None),
        ("authors_code", {"protocol": {"resize": "bilinear"}},
         "Other than protocol=authors_code: protocol.resize=bilinear, not authors."),
    ],
)  # fmt: skip
def test_other_crops_and_another_resize_are_named(tmp_path, protocol, options, expected):
    grid = grid_of(tmp_path, data="ffpp", protocol=protocol, config=options)
    assert check_comparable(grid, force=False) == ([expected] if expected else [])


def test_the_correlation_is_compared_with_results_of_scale_4_alone(tmp_path, paper_grid):
    """The published script took K = 4 for it (and 2 for everything else)."""
    tables = comparison_tables(paper_grid, force=False)
    assert [table.name for table in tables] == ["table_1_paper", "table_2_paper", "table_3_paper"]
    assert "attack.scale=4" in " ".join(tables[2].remarks)

    faces = predictions((0.05, 0.125), (0, 0))
    noise = np.random.default_rng(0).normal(size=(2, len(faces)))
    faces["score_attacked"] = (faces["score"] + 0.01 * noise[0]).clip(0, 1)
    faces["ssim_224"] = 0.9 + 0.01 * noise[0] + 0.002 * noise[1]
    faces["ssim"] = 0.9 + 0.001 * noise[1]
    grid = grid_of(tmp_path / "x4", data="ffpp", protocol="paper", attack="sr-edsr-x4", faces=faces)
    table = comparison_tables(grid, force=False)[3]
    row = dict(zip(table.columns, table.rows[0], strict=True))
    moved = faces["score_attacked"] - faces["score"]
    assert float(row["r, SSIM at 224 px"]) == pytest.approx(pearsonr(faces["ssim_224"], moved)[0], abs=6e-4)
    assert float(row["r, SSIM"]) == pytest.approx(pearsonr(faces["ssim"], moved)[0], abs=6e-4)
    assert row["|r| < 0.1 as published"] == "no"
    low, high = map(float, row["95 % at 224 px"].split(" … "))
    assert low <= float(row["r, SSIM at 224 px"]) <= high
