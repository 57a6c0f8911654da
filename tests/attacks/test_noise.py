import numpy as np
import pytest
import torch
from photo_faces import as_faces, photos
from scipy import stats

from sr_deepfake.attacks.corruptions import NoiseAttack


def noise(faces, **options):
    return ((NoiseAttack(**options)(faces) - faces) * 255).round()


def grey(side=128, level=128):
    return torch.full((1, 3, side, side), level / 255)


@pytest.mark.parametrize("std", [2, 8, 18.5])
def test_it_is_gaussian_white_and_as_strong_as_asked(std):
    values = noise(grey(), std=std).double().numpy()
    count = values.size
    assert values.std() == pytest.approx(np.hypot(std, 1 / np.sqrt(12)), rel=0.02)  # with the rounding's part
    assert abs(values.mean()) < 4 * std / np.sqrt(count)
    spread = values + np.random.default_rng(0).uniform(-0.5, 0.5, values.shape)
    assert stats.kstest(spread.ravel() / spread.std(), "norm").pvalue > 1e-3
    flat = values[0]
    pairs = [(flat[:, 1:], flat[:, :-1]), (flat[:, :, 1:], flat[:, :, :-1]), (flat[1:], flat[:-1])]
    for one, other in pairs:  # neighbours and channels have nothing to do with each other
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)


def test_a_faces_noise_is_its_own_at_every_place_of_any_batch():
    attack = NoiseAttack(std=8)
    faces, others = as_faces(photos(4)), torch.rand(3, 3, 48, 48)
    together = attack(faces)
    assert torch.equal(together, torch.cat([attack(face[None]) for face in faces]))
    assert torch.equal(attack(torch.cat([others, faces.flip(0)]))[3:].flip(0), together)
    assert torch.equal(NoiseAttack(std=8)(faces), together)
    repeated = attack(faces[:1].repeat(3, 1, 1, 1))
    assert (repeated == together[0]).all()


def test_two_faces_and_two_seeds_have_unrelated_noise():
    face = grey()
    one_pixel_away = face.clone()
    one_pixel_away[0, 0, 0, 0] += 1 / 255
    base = noise(face, std=8)
    for other in (noise(one_pixel_away, std=8), noise(face, std=8, seed=1), noise(face.flip(1) * 0.9, std=8)):
        assert abs(np.corrcoef(base.ravel(), other.ravel())[0, 1]) < 0.02


def test_the_shape_counts_too():
    wide, high = torch.zeros(1, 3, 4, 16) + 0.5, torch.zeros(1, 3, 16, 4) + 0.5
    assert not torch.equal(noise(wide, std=20).flatten(), noise(high, std=20).flatten())


def test_a_stronger_attack_is_the_same_noise_amplified():
    weak, strong = noise(grey(), std=4), noise(grey(), std=16)
    assert (strong - 4 * weak).abs().max() <= 2.5  # both are rounded


def test_it_ignores_and_leaves_the_global_generators():
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first = noise(grey(), std=8)
    after = torch.rand(1), np.random.rand()  # noqa: NPY002
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert (torch.rand(1), np.random.rand()) == after  # noqa: NPY002
    torch.manual_seed(2)
    assert torch.equal(noise(grey(), std=8), first)


def test_black_and_white_stay_in_range():
    attacked = NoiseAttack(std=57)(torch.cat([grey(level=0), grey(level=255)]))
    assert attacked.min() == 0
    assert attacked.max() == 1
    assert (attacked[0] == 0).double().mean() == pytest.approx(0.5, abs=0.02)
