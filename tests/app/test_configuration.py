import json

import pytest
from forked import TINY, run

from sr_deepfake.app.configuration import checked, checked_overrides, known_targets
from sr_deepfake.system.errors import UserError


def test_what_conf_names_may_be_built():
    assert "sr_deepfake.attacks.SuperResolutionAttack" in known_targets("attack")
    assert "lightning.Trainer" not in known_targets("attack", "sr_model")
    assert known_targets("attack") < known_targets()
    optimizer = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.1}
    if "torch.optim.Adam" in known_targets("protocol"):
        assert checked(optimizer, "recipe.json", "protocol") == optimizer


@pytest.mark.parametrize(
    "content",
    [
        {"a": {"_target_": "os.system"}},
        {"a": [{"_target_": "os.system"}]},
        {"_args_": ["x"]},
        ["${oc.env:HOME}"],
    ],
)
def test_what_is_dangerous_is_refused_wherever_it_stands(content):
    with pytest.raises(UserError):
        checked(content, "a file")


@pytest.mark.parametrize(
    "override",
    [
        "hydra.run.dir=/elsewhere", "+hydra.callbacks.x._target_=os.system", "hydra/launcher=joblib",
        "model._target_=os.system", "++logger={_target_:os.system}", "seed=${oc.env:SECRET}", "attack={_args_:[1]}",
        "~hydra.sweeper",
    ],
)  # fmt: skip
def test_an_earlier_runs_overrides_set_up_no_code(override):
    with pytest.raises(UserError, match="type it yourself"):
        checked_overrides(["model=swin", override], "from_run=x")


def test_plain_choices_and_values_are_repeated():
    kept = [
        "model=timm",
        "model.backbone=resnet18",
        "attack@attack.first=jpeg",
        "+trainer.gradient_clip_val=1",
        "~x.y",
    ]
    assert checked_overrides([*kept, "paths.outputs=/elsewhere", "cache.folder=/x"], "from_run=x") == kept


@pytest.mark.slow
def test_a_detector_from_elsewhere_brings_no_code_and_no_secret(make_faces, tmp_path, monkeypatch):
    """Its protocol would be built and written down when it is attacked."""
    make_faces({"train": 8, "val": 4, "test": 6})
    run("train", *TINY, "forgery=FaceSwap", "attack=none", cwd=tmp_path)
    (recipe,) = tmp_path.glob("outputs/detectors/*/recipe.json")
    content = json.loads(recipe.read_text())
    monkeypatch.setenv("SECRET", "my-password")
    options = [option for option in TINY if not option.startswith(("protocol", "model"))]
    for planted in ({"_target_": "os.mkdir", "path": "planted"}, "${oc.env:SECRET}"):
        content["protocol"]["augmentation"] = planted
        recipe.write_text(json.dumps(content))
        shown = run("evaluate", f"detector={recipe.parent}", *options, "attack=none", cwd=tmp_path, status=1)
        assert "Traceback" not in shown
        assert "my-password" not in shown
    assert not (tmp_path / "planted").exists()
