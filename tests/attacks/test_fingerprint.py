import importlib
import json
import sys

import pytest
import torch
from torch import nn

from sr_deepfake.attacks import fingerprint as module
from sr_deepfake.attacks.fingerprint import describe_attack
from sr_deepfake.attacks.super_resolution import SuperResolutionAttack
from sr_deepfake.super_resolution.edsr import basicsr_state, edsr
from sr_deepfake.super_resolution.interpolation import Interpolation
from sr_deepfake.system.errors import UserError
from sr_deepfake.system.files import digest

CPU = torch.device("cpu")


class Attack(nn.Module):
    """Weights of several kinds: a parameter, a buffer, and a buffer that a state_dict leaves out."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, bias=False)
        nn.init.constant_(self.convolution.weight, 0.5)
        self.register_buffer("number", torch.tensor(1.0))
        self.register_buffer("mean", torch.arange(3.0), persistent=False)


def identity(attack, device=CPU):
    return digest(describe_attack(attack, device))


class InOurs(nn.Module):
    """A layer of the same weights that computes something else."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight


def other_name(attack):
    attack.register_buffer("average", attack.mean, persistent=False)
    del attack.mean


CHANGES = {
    "a parameter": lambda attack: attack.convolution.weight[0, 0, 0, 0].add_(1e-6),
    "negative zero": lambda attack: attack.number.mul_(0).neg_(),
    "a buffer": lambda attack: attack.mean[2].fill_(3),
    "the type": lambda attack: attack.half(),
    "the shape": lambda attack: setattr(attack, "mean", attack.mean.view(1, 3)),
    "a name": other_name,
    "a class": lambda attack: setattr(attack, "convolution", InOurs(attack.convolution.weight)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
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


def with_settings(**settings):
    attack = Attack()
    for name, value in settings.items():
        setattr(attack, name, value)
    return attack


def test_plain_public_attributes_show_and_neither_their_order_nor_the_mode():
    settings = {"scale": 2, "res_scale": 1.0, "parts": ["a", "b"], "mode": None, "fast": True}
    same = dict(reversed(settings.items()))
    assert identity(with_settings(**settings)) == identity(with_settings(**same))
    for other in (
        {**settings, "scale": 3},
        {**settings, "parts": ["b", "a"]},
        {**settings, "res_scale": 0.1},
        {**settings, "seed": None},
        {},
    ):
        assert identity(with_settings(**settings)) != identity(with_settings(**other))
    assert identity(with_settings(_max_pixels=3).eval()) == identity(Attack())
    inner = nn.Sequential(with_settings(res_scale=1.0)), nn.Sequential(with_settings(res_scale=0.1))
    assert identity(inner[0]) != identity(inner[1])


def test_a_network_of_torchscript_has_a_fingerprint():
    scripted = torch.jit.script(nn.Conv2d(3, 3, 1))
    assert len(module.weights_digits(scripted)) == 8
    assert identity(scripted) == identity(torch.jit.script(scripted.eval()))


def test_two_attacks_that_differ_in_what_changes_faces_have_different_names(tmp_path):
    weights = tmp_path / "other.pt"
    other = edsr()
    torch.save({name: tensor * 1.01 for name, tensor in basicsr_state(other).items()}, weights)
    names = [
        SuperResolutionAttack(edsr()).name,
        SuperResolutionAttack(edsr(weights=str(weights))).name,
        SuperResolutionAttack(edsr(res_scale=0.5)).name,
        SuperResolutionAttack(edsr(), convention="authors_code").name,
        SuperResolutionAttack(edsr(), precision="float32").name,
        SuperResolutionAttack(Interpolation(2)).name,
        SuperResolutionAttack(Interpolation(3), 3).name,
        SuperResolutionAttack(Interpolation(2, "lanczos")).name,
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith("sr-edsr-x2-") for name in names[:5])
    assert names[5:] == ["bicubic-x2", "bicubic-x3", "lanczos-x2"]
    copy = tmp_path / "copy.pt"
    torch.save(basicsr_state(edsr()), copy)
    assert SuperResolutionAttack(edsr(weights=str(copy))).name == names[0]  # the same weights in another file


def test_a_number_format_is_not_shared_with_another(monkeypatch):
    found = set()
    for dtype in (torch.bfloat16, torch.float32):
        monkeypatch.setattr(module, "fast_dtype", lambda device, dtype=dtype: dtype)
        found |= {identity(Attack(), device=torch.device(name)) for name in ("cpu", "cuda", "mps")}
        assert identity(Attack(), device=torch.device("cuda", 1)) in found  # which GPU it is does not matter
    assert len(found) == 6


def test_versions_show(monkeypatch):
    before = identity(Attack())
    for version in (before, "another"):
        monkeypatch.setattr(torch, "__version__", version)
        assert identity(Attack()) != before


ATTACK = """from torch import nn

from shared_part import half


class Own(nn.Module):
    '''{docstring}'''

    def forward(self, faces):
        return {expression}
"""


def test_code_shows_where_it_computes_something_else_in_a_shared_function_too(tmp_path, monkeypatch):
    """A changed function that the attack imports makes other faces; a changed docstring or comment does not."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def found(expression="half(faces)", shared="return faces / 2", docstring="Ours."):
        (tmp_path / "own_attack.py").write_text(ATTACK.format(expression=expression, docstring=docstring))
        (tmp_path / "shared_part.py").write_text(f"def half(faces):\n    {shared}\n")
        for name in ("own_attack", "shared_part"):
            sys.modules.pop(name, None)
        module._parsed.cache_clear()  # as in another run
        importlib.invalidate_caches()
        return identity(nn.Sequential(importlib.import_module("own_attack").Own()))

    before = found()
    assert found(docstring="Another text.") == before
    assert found(shared="return faces / 2  # a comment") == before
    assert found(shared="return faces / 3") != before
    assert found(expression="1 - half(faces)") != before


def test_code_without_a_file_is_an_error():
    made = type("Made", (nn.Module,), {"__module__": "nowhere"})
    with pytest.raises(UserError, match=r"nowhere\.Made.*cache\.attacked=false"):
        identity(made())


def test_the_description_names_what_people_look_for():
    description = describe_attack(SuperResolutionAttack(edsr()), CPU)
    assert json.loads(json.dumps(description)) == description
    assert description["settings"][""]["scale"] == 2
    assert description["settings"]["sr_model"]["name"] == "edsr"
    assert description["settings"]["sr_model.body.0"]["res_scale"] == 1.0
    assert any(name.endswith(".EDSR") for name in description["code"])
    assert not any(name.startswith("torch.") for name in description["code"])
    assert description["libraries"]["torch"] == torch.__version__
