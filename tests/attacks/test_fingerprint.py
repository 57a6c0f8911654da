import importlib
import json
import sys

import pytest
import torch
from torch import nn

from sr_deepfake.attacks import fingerprint as module
from sr_deepfake.attacks.fingerprint import describe_attack, fingerprint_of
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.errors import UserError
from sr_deepfake.super_resolution.edsr import edsr

CPU = torch.device("cpu")


class Attack(nn.Module):
    """Weights of several kinds: a parameter, a buffer, and a buffer that a state_dict leaves out."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, bias=False)
        nn.init.constant_(self.convolution.weight, 0.5)
        self.register_buffer("number", torch.tensor(1.0))
        self.register_buffer("mean", torch.arange(3.0), persistent=False)


def identity(attack, settings=None, device=CPU):
    return fingerprint_of(describe_attack(attack, settings or {}, device))


def changed_parameter(attack):
    attack.convolution.weight[0, 0, 0, 0] += 1e-6


def negative_zero(attack):
    attack.number.mul_(0).neg_()


def changed_buffer(attack):
    attack.mean[2] = 3


def other_type(attack):
    attack.half()


def other_shape(attack):
    attack.mean = attack.mean.view(1, 3)


def other_name(attack):
    attack.register_buffer("average", attack.mean, persistent=False)
    del attack.mean


def other_class(attack):
    attack.convolution = InOurs(attack.convolution.weight)


class InOurs(nn.Module):
    """A layer of the same weights that computes something else."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight


CHANGES = [changed_parameter, negative_zero, changed_buffer, other_type, other_shape, other_name, other_class]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_changes_in_the_attack_shows(change):
    attack = Attack()
    with torch.no_grad():
        change(attack)
    assert identity(attack) != identity(Attack())


def test_the_same_attack_has_the_same_fingerprint():
    attack = Attack().to(memory_format=torch.channels_last).requires_grad_(False)
    assert identity(attack) == identity(Attack())
    network = edsr()
    assert identity(SuperResolutionAttack(network)) == identity(SuperResolutionAttack(edsr()))


def test_settings_show_and_their_order_does_not():
    settings = {"scale": 2, "sr_model": {"res_scale": 1.0, "blocks": 16}, "attacks": ["a", "b"]}
    same = {"attacks": ["a", "b"], "sr_model": {"blocks": 16, "res_scale": 1.0}, "scale": 2}
    assert identity(Attack(), settings) == identity(Attack(), same)
    for other in (
        {**settings, "scale": 3},
        {**settings, "attacks": ["b", "a"]},
        {**settings, "seed": None},
        {},
    ):
        assert identity(Attack(), settings) != identity(Attack(), other)
    other = json.loads(json.dumps(settings))
    other["sr_model"]["res_scale"] = 0.1
    assert identity(Attack(), settings) != identity(Attack(), other)


def test_a_number_format_is_not_shared_with_another(monkeypatch):
    found = set()
    for dtype in (torch.bfloat16, torch.float32):
        monkeypatch.setattr(module, "fast_dtype", lambda device, dtype=dtype: dtype)
        found |= {identity(Attack(), device=torch.device(name)) for name in ("cpu", "cuda", "mps")}
        assert identity(Attack(), device=torch.device("cuda", 1)) in found  # which GPU it is does not matter
    assert len(found) == 6


def test_versions_show(monkeypatch):
    before = identity(Attack())
    monkeypatch.setattr(module, "ATTACKS_VERSION", 2)
    assert identity(Attack()) != before
    monkeypatch.undo()
    for version in (before, "another"):
        monkeypatch.setattr(torch, "__version__", version)
        assert identity(Attack()) != before


def test_an_attack_of_the_users_own_shows_when_its_code_changes(tmp_path, monkeypatch):
    file = tmp_path / "own_attack.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    found = []
    for line in ("return faces", "return 1 - faces", "return faces"):
        file.write_text(
            f"from torch import nn\n\n\nclass Own(nn.Module):\n    def forward(self, faces):\n        {line}\n"
        )
        module._hash_of_file.cache_clear()  # as in another run
        sys.modules.pop("own_attack", None)
        importlib.invalidate_caches()
        own = importlib.import_module("own_attack").Own()
        found.append(identity(nn.Sequential(own)))
    del sys.modules["own_attack"]
    assert found[0] == found[2] != found[1]


def test_code_without_a_file_is_told():
    made = type("Made", (nn.Module,), {"__module__": "nowhere"})
    with pytest.raises(UserError, match=r"nowhere\.Made.*cache\.attacked=false"):
        identity(made())


def test_the_description_names_what_people_look_for():
    description = describe_attack(SuperResolutionAttack(edsr()), {"name": "sr"}, CPU)
    assert json.loads(json.dumps(description)) == description
    assert description["settings"] == {"name": "sr"}
    assert any(name.endswith(".EDSR") for name in description["code"])
    assert not any(name.startswith("torch.") for name in description["code"])
    assert description["libraries"]["torch"] == torch.__version__
