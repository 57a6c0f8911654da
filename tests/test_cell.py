from pathlib import Path

import hydra
import pytest

from sr_deepfake.app.configuration import CONF
from sr_deepfake.app.grid import run_of
from sr_deepfake.app.overrides import completed
from sr_deepfake.experiment.runs import Run


def cell(*overrides, program="train"):
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
        "~callbacks.early_stopping", "sr_model=bicubic", "attack=jpeg", "attack.precision=float32",
    ],
)  # fmt: skip
def test_what_changes_figures_makes_another_cell(override):
    assert cell(override).name != cell().name


@pytest.mark.parametrize(
    "override",
    [
        "paths.outputs=elsewhere", "paths.cache=elsewhere", "cache.attacked=false", "logger=wandb", "data.workers=3",
        "trainer.enable_progress_bar=false", "train.force=true", "evaluate.force=true", "prepare.workers=9",
        "trainer=cpu", "+trainer.profiler=simple", "~callbacks.learning_rate_monitor", "+summary.bins=3",
    ],
)  # fmt: skip
def test_what_changes_no_figure_makes_no_other_cell(override):
    assert cell(override).name == cell().name


def test_places_are_compared_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    full = cell("data=ffpp", f"data.root={tmp_path}/videos")
    assert cell("data=ffpp", "data.root=videos").name == full.name
    moved = cell("data=ffpp", "data.root=videos", f"paths.outputs={tmp_path}/moved")
    assert moved.name == full.name  # crops in the outputs move with them
    assert cell("data=ffpp", "data.root=videos", "data.crops=mine").name != full.name


def test_the_file_of_a_cell_can_be_told_by_its_name():
    name = Run("train", [], {}, "my/net", "FaceSwap", "none", "sample").name
    assert name.startswith("my_net-FaceSwap-none-")
    assert Path(name).name == name
