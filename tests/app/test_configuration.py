import pytest

from sr_deepfake.app.overrides import checked_overrides
from sr_deepfake.system.errors import UserError


@pytest.mark.parametrize(
    "override",
    [
        "hydra.run.dir=/elsewhere", "+hydra.callbacks.x._target_=os.system", "hydra/launcher=joblib",
        "model._target_=os.system", "++logger={_target_:os.system}", "seed=${oc.env:SECRET}", "attack={_args_:[1]}",
        "~hydra.sweeper", "model.factory=/evil.py:x", "model.trust=true",
    ],
)  # fmt: skip
def test_an_earlier_runs_overrides_set_up_no_code(override):
    with pytest.raises(UserError, match="type it yourself"):
        checked_overrides(["model=swin", override], "from_run=x")


def test_plain_choices_and_values_are_repeated():
    kept = [
        "model=timm", "model.backbone=vit_base_patch16_224", "data.root=/mnt/my_face_data_2", "attack@attack.first=jpeg",
        "+trainer.gradient_clip_val=1", "~x.y",
    ]  # fmt: skip
    assert checked_overrides([*kept, "paths.outputs=/elsewhere", "cache.folder=/x"], "from_run=x") == kept
