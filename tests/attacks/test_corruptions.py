"""What all attacks for comparison have in common, built from the configuration as a user gets them."""

import copy
import functools

import hydra
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError
from photo_faces import as_faces, as_pictures, photos
from scipy import ndimage, stats

from sr_deepfake.app.program import CONF
from sr_deepfake.attacks.corruptions import BlurAttack, NoiseAttack, ResizeAttack


@settings(max_examples=40)
@given(st.integers(2, 64), st.integers(2, 48), st.floats(0.05, 12))
def test_a_face_of_any_size_even_one_smaller_than_the_kernel(height, width, sigma):
    """SciPy's Gaussian in float64, on each axis; it too ends at four standard deviations."""
    (picture,) = photos(1, height, width)
    (result,) = as_pictures(BlurAttack(sigma)(as_faces(picture[None])))
    expected = ndimage.gaussian_filter(picture.astype(np.float64), (sigma, sigma, 0), mode="mirror", truncate=4)
    assert np.abs(result - expected).max() <= 0.5 + 1e-3


GREY = torch.full((1, 3, 128, 128), 128 / 255)


def noise(faces, **options):
    return ((NoiseAttack(**options)(faces) - faces) * 255).round()


@pytest.mark.parametrize("std", [2, 8, 18.5])
def test_it_is_gaussian_white_and_as_strong_as_asked(std):
    values = noise(GREY, std=std).double().numpy()
    count = values.size
    assert values.std() == pytest.approx(np.hypot(std, 1 / np.sqrt(12)), rel=0.02)  # with the rounding's part
    assert abs(values.mean()) < 4 * std / np.sqrt(count)
    spread = values + np.random.default_rng(0).uniform(-0.5, 0.5, values.shape)
    assert stats.kstest(spread.ravel() / spread.std(), "norm").pvalue > 1e-3
    flat = values[0]
    pairs = [(flat[:, 1:], flat[:, :-1]), (flat[:, :, 1:], flat[:, :, :-1]), (flat[1:], flat[:-1])]
    for one, other in pairs:  # neighbours and channels have nothing to do with each other
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_two_faces_and_two_seeds_have_unrelated_noise():
    face = GREY
    one_pixel_away = face.clone()
    one_pixel_away[0, 0, 0, 0] += 1 / 255
    base = noise(face, std=8)
    for other in (noise(one_pixel_away, std=8), noise(face, std=8, seed=1), noise(face.flip(1) * 0.9, std=8)):
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.02


def test_the_shape_counts_too():
    wide, high = torch.zeros(1, 3, 4, 16) + 0.5, torch.zeros(1, 3, 16, 4) + 0.5
    assert not torch.equal(noise(wide, std=20).flatten(), noise(high, std=20).flatten())


def test_a_stronger_attack_is_the_same_noise_amplified():
    weak, strong = noise(GREY, std=4), noise(GREY, std=16)
    assert (strong - 4 * weak).abs().max() <= 2.5  # both are rounded


def test_it_ignores_and_leaves_the_global_generators():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = noise(GREY, std=8)
    after = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert (torch.rand(1), np.random.rand()) == after  # noqa: NPY002
    torch.manual_seed(2)
    assert torch.equal(noise(GREY, std=8), first)


def area_mean(picture, size):
    """Each small pixel is the mean of what it covers, a pixel that it covers in part counts in part."""
    for axis, count in enumerate(size):
        side = picture.shape[axis]
        edges = np.arange(count + 1) * side / count
        low, high = edges[:-1, None], edges[1:, None]
        pixels = np.arange(side)[None]
        weights = np.clip(np.minimum(high, pixels + 1) - np.maximum(low, pixels), 0, None) * count / side
        picture = np.moveaxis(np.tensordot(weights, picture, (1, axis)), 0, axis)
    return picture


@pytest.mark.parametrize("factor", [1.5, 2, 2.5, 3, 4, 6])
def test_down_is_an_area_average_and_up_is_bilinear(factor):
    pictures = photos(2, 72, 60)
    attacked = as_pictures(ResizeAttack(factor)(as_faces(pictures)))
    size = round(72 / factor), round(60 / factor)
    for picture, result in zip(pictures, attacked, strict=True):
        means = area_mean(picture.astype(np.float64), size)
        # OpenCV halves exact ties upwards where the factor is 2, and to the even number elsewhere.
        small = np.floor(means + 0.5) if factor == 2 else np.rint(means)
        large = torch.nn.functional.interpolate(
            torch.from_numpy(small).permute(2, 0, 1)[None], (72, 60), mode="bilinear", align_corners=False
        )
        difference = np.abs(result - large[0].permute(1, 2, 0).numpy())
        # A mean that falls between two levels may be rounded to either, which shows wherever it is spread.
        assert difference.max() <= 1.5 + 1e-2
        assert (difference <= 0.5 + 1e-2).mean() > 0.99


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(1.01, 60))
def test_any_size_and_factor_keep_the_size_and_plain_pictures(height, width, factor):
    faces = torch.full((1, 3, height, width), 100 / 255)
    assert torch.equal(ResizeAttack(factor)(faces), faces)


STRENGTHS = {  # option, what users type for it, the name that this gives
    "jpeg": ("quality", "35", "jpeg-q35"),
    "webp": ("quality", "35", "webp-q35"),
    "blur": ("sigma", "1.5", "blur-s1.5"),
    "noise": ("std", "8", "noise-8"),
    "h264": ("crf", "23", "h264-crf23"),
    "resize": ("factor", "1.5", "resize-x1.5"),
}
ATTACKS = [*STRENGTHS, "chain", "upload", "bicubic", "sr", "alignment"]


@functools.cache
def composed(*overrides):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", list(overrides))


def build(*overrides, **options):
    """The attack of a command line, with options in the place of what it has."""
    cfg = copy.deepcopy(composed(*overrides))
    cfg.attack = OmegaConf.merge(cfg.attack, options)
    return hydra.utils.instantiate(cfg.attack)


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
    assert set(attack.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.+-_")  # good in file names
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
        attack = build(f"attack={name}", severity=severity)
        losses.append(float((attack(faces) - faces).square().mean()))
        names.append(attack.name)
        assert attack.name.endswith(f"{getattr(attack, STRENGTHS[name][0]):g}")
    assert losses == sorted(losses)
    assert len(set(losses)) == len(set(names)) == 5


@pytest.mark.parametrize(("name", "option", "value", "label"), [(name, *rest) for name, rest in STRENGTHS.items()])
def test_the_strength_itself_wins_over_the_severity(name, option, value, label):
    attack = build(f"attack={name}", f"attack.{option}={value}", "attack.severity=5")
    assert attack.name == label
    assert getattr(attack, option) == float(value)


@pytest.mark.parametrize("severity", [0, 6, 2.5, "strong", None])
def test_an_unknown_severity_is_one_clear_line(severity):
    with pytest.raises(InterpolationResolutionError, match=r"attack\.severity must be one of 1 to 5, not"):
        build("attack=jpeg", severity=severity)


def test_a_chain_is_what_its_parts_are():
    chain, first, second = build("attack=chain"), build("attack=sr"), build("attack=jpeg")
    assert chain.name == f"{first.name}+{second.name}"
    faces = as_faces(photos(2, 48))
    assert torch.equal(chain(faces), second(first(faces)))


def test_a_chain_of_other_attacks_from_the_command_line():
    overrides = ["attack=chain", "attack@attack.first=resize", "attack@attack.second=h264"]
    chain = build(*overrides, "attack.first.factor=1.5", "attack.second.severity=1")
    assert chain.name == "resize-x1.5+h264-crf30"
    faces = as_faces(photos(1, 48))
    resize, h264 = build("attack=resize", factor=1.5), build("attack=h264", severity=1)
    assert torch.equal(chain(faces), h264(resize(faces)))


def test_the_scale_of_an_attack_in_a_chain():
    overrides = ["attack=chain", "attack@attack.first=jpeg", "attack@attack.second=bicubic", "attack.second.scale=3"]
    chain = build(*overrides)
    assert chain.name == "jpeg-q15+bicubic-x3"
    assert chain.attacks[1].scale == chain.attacks[1].sr_model.scale == 3
