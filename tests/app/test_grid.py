from pathlib import Path

import hydra
import pytest

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.grid import grid_of, run_of
from sr_deepfake.app.overrides import completed
from sr_deepfake.experiment.runs import Run
from sr_deepfake.system.hardware import precision


def run(*overrides, program="train"):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose(program, completed(program, overrides), return_hydra_config=True)
        return run_of(program, overrides, cfg, cfg.hydra.runtime.choices)


@pytest.mark.parametrize(
    "override",
    [
        "model=swin", "model.pretrained=false", "forgery=FaceSwap", "attack=none", "attack.scale=3", "seed=1",
        "protocol.epochs=9", "protocol.augmentation.jpeg=0", "sr_model.weights=other", "trainer.precision=32",
        "data=ffpp", "trainer.limit_train_batches=4", "+trainer.gradient_clip_val=1",
        "callbacks.early_stopping.patience=2",
        "~callbacks.early_stopping", "sr_model=edsr_large", "attack=jpeg", "attack.precision=float32",
    ],
)  # fmt: skip
def test_what_changes_figures_makes_another_cell(override):
    assert run(override).name != run().name


@pytest.mark.parametrize(
    "override",
    [
        "paths.outputs=elsewhere", "paths.cache=elsewhere", "cache.attacked=false", "logger=wandb", "data.workers=3",
        "trainer.enable_progress_bar=false", "train.force=true", "evaluate.force=true", "prepare.workers=9",
        "trainer=cpu", "+trainer.profiler=simple", "~callbacks.learning_rate_monitor",
    ],
)  # fmt: skip
def test_what_changes_no_figure_makes_no_other_cell(override):
    assert run(override).name == run().name


def test_places_are_compared_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    full = run("data=ffpp", f"data.root={tmp_path}/videos")
    assert run("data=ffpp", "data.root=videos").name == full.name
    moved = run("data=ffpp", "data.root=videos", f"paths.outputs={tmp_path}/moved")
    assert moved.name == full.name  # crops in the outputs move with them
    assert run("data=ffpp", "data.root=videos", "data.crops=mine").name != full.name


def test_the_file_of_a_cell_can_be_told_by_its_name():
    name = Run("train", [], {}, "my/net", "FaceSwap", "none", "sample").name
    assert name.startswith("my_net-FaceSwap-none-")
    assert Path(name).name == name


@pytest.mark.parametrize(
    ("experiment", "swin", "weights"),
    [
        ("paper", "swin_small_patch4_window7_224.ms_in1k", "official"),
        ("authors_code", "swin_tiny_patch4_window7_224.ms_in1k", "torchsr"),
    ],
)
def test_the_papers_grid(experiment, swin, weights):
    grid = grid_of("train", [f"experiment={experiment}", "data.source.root=/videos"])
    assert len(grid.runs) == len({run.name for run in grid.runs}) == 30
    assert {run.model for run in grid.runs} == {"resnet50", "swin", "xception"}
    assert {run.attack for run in grid.runs} == {"none", "sr-edsr-x2"}
    for run in grid.runs:
        assert run.settings["protocol"]["name"] == experiment
        assert run.settings["model"]["pretrained"] is True
        assert run.settings["sr_model"]["weights"] == weights
        assert run.settings["trainer"]["precision"] == "32-true"
    assert {run.settings["model"]["backbone"] for run in grid.runs} == {
        "resnet50.tv2_in1k",
        swin,
        "legacy_xception.tf_in1k",
    }
    assert grid.is_sweep
    assert all("data.source.root=/videos" in run.overrides for run in grid.runs)
    assert not any(grid.varied)


@pytest.mark.parametrize("experiment", ["resolution", "sr_models", "defence", "transfer"])
def test_the_open_questions_take_the_papers_attack_and_precision_on_its_data(experiment):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        paper = hydra.compose("train", [f"experiment={experiment}", "data=ffpp"])
        sample = hydra.compose("train", [f"experiment={experiment}"])
        typed = hydra.compose(
            "train", [f"experiment={experiment}", "data=ffpp", "trainer.precision=16-mixed"]
        )
    assert (paper.sr_model.weights, paper.trainer.precision) == ("official", "32-true")
    assert (sample.sr_model.weights, typed.trainer.precision) == (None, "16-mixed")
    assert sample.trainer.precision == precision(sample.trainer.accelerator)


def test_the_same_grid_on_the_sample():
    grid = grid_of("train", ["experiment=sample_sweep"])
    assert {run.model for run in grid.runs} == {f"efficientnet_lite{size}" for size in range(3)}
    assert len({(run.model, run.forgery, run.attack) for run in grid.runs}) == len(grid.runs) == 3 * 5 * 2
    assert {run.settings["protocol"]["name"] for run in grid.runs} == {"quick"}
    assert {run.data for run in grid.runs} == {"sample"}


def test_the_command_line_wins_over_the_experiment():
    grid = grid_of("train", ["experiment=paper", "model=swin", "attack=sr", "attack.scale=2,4"])
    assert {run.model for run in grid.runs} == {"swin"}
    assert len(grid.runs) == 5 * 2
    assert {run.attack for run in grid.runs} == {"sr-edsr-x2", "sr-edsr-x4"}
    assert [row["attack.scale"] for row in grid.varied[:2]] == ["2", "4"]


def test_one_cell_is_no_sweep():
    grid = grid_of("train", ["experiment=demo", "paths.outputs=/elsewhere"])
    assert len(grid.runs) == 1
    assert not grid.is_sweep
    assert str(grid.outputs) == "/elsewhere"


def test_launchers_need_not_be_there():
    assert len(grid_of("train", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1"]).runs) == 2


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
