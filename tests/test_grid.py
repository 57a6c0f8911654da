import hydra
import pytest

from sr_deepfake.app.grid import grid_of


@pytest.mark.parametrize(
    ("experiment", "swin"),
    [("paper", "swin_small_patch4_window7_224"), ("authors_code", "swin_tiny_patch4_window7_224")],
)
def test_the_papers_grid(experiment, swin):
    grid = grid_of("train", [f"experiment={experiment}", "data.source.root=/videos"])
    assert len(grid.runs) == len({cell.name for cell in grid.runs}) == 30
    assert {cell.model for cell in grid.runs} == {"resnet50", "swin", "xception"}
    assert {cell.attack for cell in grid.runs} == {"none", "sr-edsr-x2"}
    for cell in grid.runs:
        assert cell.settings["protocol"]["name"] == experiment
        assert cell.settings["model"]["pretrained"] is True
        assert cell.settings["sr_model"]["weights"] == "official"
    assert {cell.settings["model"]["backbone"] for cell in grid.runs} == {
        "resnet50",
        swin,
        "legacy_xception",
    }
    assert grid.is_sweep
    assert all("data.source.root=/videos" in cell.overrides for cell in grid.runs)
    assert not any(grid.varied)


def test_the_same_grid_on_the_sample():
    grid = grid_of("train", ["experiment=sample_sweep"])
    assert {cell.model for cell in grid.runs} == {"resnet50", "swin", "xception", "efficientnet_lite0"}
    assert len({(cell.model, cell.forgery, cell.attack) for cell in grid.runs}) == len(grid.runs) == 4 * 5 * 2
    assert {cell.settings["protocol"]["name"] for cell in grid.runs} == {"quick"}
    assert {cell.data for cell in grid.runs} == {"sample"}


def test_the_command_line_wins_over_the_experiment():
    grid = grid_of("train", ["experiment=paper", "model=swin", "attack=sr", "attack.scale=2,4"])
    assert {cell.model for cell in grid.runs} == {"swin"}
    assert len(grid.runs) == 5 * 2
    assert {cell.attack for cell in grid.runs} == {"sr-edsr-x2", "sr-edsr-x4"}
    assert [row["attack.scale"] for row in grid.varied[:2]] == ["2", "4"]


def test_one_cell_is_no_sweep():
    grid = grid_of("train", ["experiment=demo", "paths.outputs=/elsewhere"])
    assert len(grid.runs) == 1
    assert not grid.is_sweep
    assert str(grid.outputs) == "/elsewhere"


def test_launchers_need_not_be_there():
    assert len(grid_of("train", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1"]).cells) == 2


def test_configuration_of_ones_own(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: range(0,3)\n"
    )
    grid = grid_of("train", ["experiment=mine"], search=tmp_path)
    assert [row["seed"] for row in grid.varied] == ["0", "1", "2"]


def test_an_unknown_choice_is_hydras_error():
    with pytest.raises(hydra.errors.HydraException):
        grid_of("train", ["model=resnet51"])
