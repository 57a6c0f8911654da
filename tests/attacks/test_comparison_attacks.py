"""What all attacks for comparison have in common, built from the configuration as a user gets them."""

import hydra
import pytest
import torch
from photo_faces import as_faces, photos

from sr_deepfake.app.program import CONF
from sr_deepfake.system.errors import UserError

STRENGTHS = {  # option, what users type for it, the name that this gives
    "jpeg": ("quality", "35", "jpeg-q35"),
    "blur": ("sigma", "1.5", "blur-s1.5"),
    "noise": ("std", "8", "noise-8"),
    "h264": ("crf", "23", "h264-crf23"),
    "resize": ("factor", "1.5", "resize-bicubic-x1.5"),
}
ATTACKS = [*STRENGTHS, "chain"]


def build(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.utils.instantiate(hydra.compose("train", list(overrides)).attack)


@pytest.fixture(scope="module", params=ATTACKS)
def attack(request):
    return build(f"attack={request.param}")


def test_the_contract_of_an_attack(attack):
    faces = as_faces(photos(3, 40)).requires_grad_()
    before = faces.detach().clone()
    result = attack(faces)
    assert result.shape == faces.shape
    assert result.dtype == torch.float32
    assert result.is_contiguous()
    assert not result.requires_grad
    assert torch.equal(faces.detach(), before)
    assert torch.isin(result, torch.arange(256) / 255).all()
    assert not torch.equal(result, before)
    result.add_(1)  # a tensor of its own
    assert torch.equal(faces.detach(), before)


def test_a_face_depends_on_no_other_and_comes_back_the_same_again(attack):
    faces, others = as_faces(photos(3, 40)), torch.rand(3, 3, 40, 40)
    result = attack(faces)
    others[2] = faces[1]
    assert torch.equal(attack(others)[2], result[1])
    assert torch.equal(attack(faces), result)


def test_faces_between_levels_count_as_saved(attack):
    faces = as_faces(photos(1, 40))
    assert torch.equal(attack((faces + 0.3 / 255).clamp(0, 1)), attack(faces))


@pytest.mark.parametrize(("height", "width"), [(24, 24), (25, 31), (7, 3)])
def test_any_size_comes_back_at_its_own(attack, height, width):
    assert attack(as_faces(photos(2, height, width))).shape == (2, 3, height, width)


def test_an_empty_batch_comes_back_empty(attack):
    assert attack(torch.zeros(0, 3, 24, 24)).shape == (0, 3, 24, 24)


@pytest.mark.parametrize("name", STRENGTHS)
def test_severities_grow_from_1_to_5_and_the_name_tells_the_strength(name):
    faces = as_faces(photos(1, 96))
    losses, names = [], []
    for severity in range(1, 6):
        attack = build(f"attack={name}", f"attack.severity={severity}")
        losses.append(float((attack(faces) - faces).square().mean()))
        names.append(attack.name)
        assert attack.name.endswith(f"{getattr(attack, STRENGTHS[name][0]):g}")
    assert losses == sorted(losses)
    assert len(set(losses)) == len(set(names)) == 5


@pytest.mark.parametrize(
    ("name", "option", "value", "label"), [(name, *rest) for name, rest in STRENGTHS.items()]
)
def test_the_strength_itself_wins_over_the_severity(name, option, value, label):
    attack = build(f"attack={name}", f"attack.{option}={value}", "attack.severity=5")
    assert attack.name == label
    assert getattr(attack, option) == float(value)


@pytest.mark.parametrize("name", STRENGTHS)
@pytest.mark.parametrize("severity", ["0", "6", "2.5", "strong", "null"])
def test_an_unknown_severity_is_one_clear_line(name, severity):
    with pytest.raises(hydra.errors.InstantiationException) as caught:
        build(f"attack={name}", f"attack.severity={severity}")
    told = str(caught.value.__cause__)
    assert isinstance(caught.value.__cause__, UserError)
    assert "it is one of 1, 2, 3, 4, 5" in told
    assert f"set attack.{STRENGTHS[name][0]} itself" in told


@pytest.mark.parametrize("name", ATTACKS)
def test_names_are_good_in_file_names(name):
    assert set(build(f"attack={name}").name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.+-_")


def test_a_chain_is_what_its_parts_are():
    chain, first, second = build("attack=chain"), build("attack=sr"), build("attack=jpeg")
    assert chain.name == f"{first.name}+{second.name}"
    faces = as_faces(photos(2, 48))
    assert torch.equal(chain(faces), second(first(faces)))


def test_a_chain_of_other_attacks_from_the_command_line():
    overrides = ["attack=chain", "attack@attack.first=resize", "attack@attack.second=h264"]
    chain = build(*overrides, "attack.first.factor=1.5", "attack.second.severity=1")
    assert chain.name == "resize-bicubic-x1.5+h264-crf30"
    faces = as_faces(photos(1, 48))
    resize, h264 = build("attack=resize", "attack.factor=1.5"), build("attack=h264", "attack.severity=1")
    assert torch.equal(chain(faces), h264(resize(faces)))


def test_the_scale_of_an_attack_in_a_chain():
    overrides = [
        "attack=chain",
        "attack@attack.first=jpeg",
        "attack@attack.second=bicubic",
        "attack.second.scale=3",
    ]
    chain = build(*overrides)
    assert chain.name == "jpeg-q15+bicubic-x3"
    assert chain.attacks[1].scale == chain.attacks[1].sr_model.scale == 3
