import shlex

from result_folders import write_results

from sr_deepfake.app.report import rest_of_grid
from sr_deepfake.experiment.results import read_result
from sr_deepfake.reporting.grid import GridSelection, make_grid
from sr_deepfake.reporting.published import METHODS


def rest(outputs):
    results = [read_result(folder) for folder in sorted((outputs / "results").iterdir())]
    return rest_of_grid(make_grid(results, GridSelection()), results)


def overrides_of(command):
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "sr_deepfake.train", "-m"]
    return words[4:]


def test_one_command_does_the_rest_of_the_grid(tmp_path):
    write_results(tmp_path, overrides=["experiment=demo", "seed=3", "train.force=true"])
    missing = rest(tmp_path)
    assert missing.sentence == "1 of the 5 detectors of the grid are shown; the others are made by:"
    assert overrides_of(missing.command) == [
        "experiment=demo", "seed=3", "model=resnet50", f"forgery={','.join(METHODS)}", "attack=sr",
    ]  # fmt: skip


def test_for_faceforensics_the_papers_models_count_too(tmp_path):
    earlier = ["model=swin", "forgery=FaceSwap", "attack=sr", "attack.scale=2", "data=ffpp", "data.root=/my videos"]
    write_results(tmp_path, model="swin", overrides=earlier, data="ffpp", protocol="paper")
    missing = rest(tmp_path)
    assert missing.sentence.startswith("1 of the 15 detectors")
    assert overrides_of(missing.command) == [
        "data=ffpp", "data.root=/my videos", "model=resnet50,swin,xception", f"forgery={','.join(METHODS)}",
        "attack=sr", "attack.scale=2",
    ]  # fmt: skip


def test_a_backbone_without_a_file_in_conf_keeps_its_options(tmp_path):
    write_results(tmp_path, model="resnet18", overrides=["model=timm", "model.backbone=resnet18", "data=sample"])
    assert "model=timm model.backbone=resnet18" in rest(tmp_path).command


def test_a_complete_grid_and_other_data_lack_nothing(tmp_path):
    for method in METHODS:
        write_results(tmp_path / "whole", forgery=method)
    write_results(tmp_path / "folder", forgery="fake", data="folder")
    assert rest(tmp_path / "whole") is rest(tmp_path / "folder") is None


def test_without_provenance_no_command_is_made_up(tmp_path):
    (write_results(tmp_path) / "provenance.json").unlink()
    assert rest(tmp_path) is None
