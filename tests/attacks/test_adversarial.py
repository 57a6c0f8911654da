"""Attacks that follow gradients, against plain computations."""

import hashlib

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics.pairwise import euclidean_distances
from torch import nn

from sr_deepfake.attacks import ChainAttack, JpegAttack, PGDAttack, StatAttack
from sr_deepfake.attacks.adversarial import _changed, mmd, softened
from sr_deepfake.attacks.cache import CachedAttack
from sr_deepfake.system.errors import UserError


class Tiny(nn.Module):
    """A network whose every part is smooth."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, 4, 5, stride=2), nn.Linear(4, 1)

    def features(self, faces):
        return torch.tanh(self.first(faces * 4)).mean(dim=(2, 3))

    def forward(self, faces):
        return self.last(self.features(faces)).squeeze(1) * 5


def some_faces(count=3, side=24, seed=0):
    levels = torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(seed))
    return levels / 255


def test_pgd_stays_in_its_bound_on_the_grid_and_moves_each_class_to_the_other():
    faces, labels = some_faces(4), torch.tensor([1.0, 0.0, 1.0, 0.0])
    network = Tiny()
    attacked = PGDAttack(network, eps=3)(faces, labels)
    levels = attacked * 255
    assert torch.equal(levels.round(), levels.round().clamp(0, 255))
    assert (levels - levels.round()).abs().max() < 1e-4
    assert (levels - faces * 255).abs().max() <= 3 + 1e-3
    moved = network(attacked) - network(faces)
    assert (moved[labels == 1] < 0).all()
    assert (moved[labels == 0] > 0).all()


def test_pgd_is_the_gradient_ascent_of_the_cross_entropy():
    """By the definition: the sign of the gradient of torch's loss, step by step, without a random start's help."""
    face, label = some_faces(1), torch.ones(1)
    network, attack = Tiny(), PGDAttack(Tiny(), eps=4, steps=3)
    found = attack(face, label) * 255
    levels = (face * 255).round()
    identity = f"0 {tuple(levels.shape)}".encode() + levels.byte().numpy().tobytes()
    seed = int.from_bytes(hashlib.sha256(identity).digest()[:8]) >> 1
    x = levels + (torch.rand(levels.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * 4
    x = x.clamp(levels - 4, levels + 4).clamp(0, 255)
    for _ in range(3):
        x = x.detach().requires_grad_()
        F.binary_cross_entropy_with_logits(network(x / 255), label).backward()
        x = (x + x.grad.sign()).clamp(levels - 4, levels + 4).clamp(0, 255)
    assert torch.equal(found.round(), x.detach().round())


def test_what_becomes_of_a_face_under_pgd_depends_on_no_other_and_its_label_is_part_of_the_cache(tmp_path):
    faces, labels = some_faces(3), torch.tensor([1.0, 0.0, 1.0])
    attack = PGDAttack(Tiny())
    whole = attack(faces, labels)
    assert torch.equal(whole[1:2], attack(faces[1:2], labels[1:2]))
    cached = CachedAttack(attack, tmp_path)
    assert torch.equal(cached(faces, labels), whole)
    assert torch.equal(cached(faces, labels), whole)
    assert (cached.found, cached.computed) == (3, 3)
    assert not torch.equal(cached(faces, 1 - labels), whole)
    chain = ChainAttack(first=attack, second=JpegAttack(90))
    assert chain.reads_labels
    assert torch.equal(chain(faces, labels), JpegAttack(90)(whole))


def test_without_labels_the_surrogate_says_what_a_face_is():
    faces, network = some_faces(6), Tiny()
    assumed = (network(faces) > 0).float()
    assert torch.equal(PGDAttack(network)(faces), PGDAttack(network)(faces, assumed))


def test_a_network_without_gradients_is_refused():
    class Cut(nn.Module):
        def forward(self, faces):
            return faces.detach().mean(dim=(1, 2, 3))

    with pytest.raises(UserError, match="no gradient"):
        PGDAttack(Cut())(some_faces(1))
    with pytest.raises(UserError, match=r"attack\.eps"):
        PGDAttack(Tiny(), eps=0.5)


def test_statattack_makes_fakes_like_the_guides_and_leaves_pristine_faces():
    faces, labels = some_faces(5, 32), torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])
    network = Tiny()
    attack = StatAttack(network, [face[None] * 0.5 for face in some_faces(6, 40, seed=1)])
    attacked = attack(faces, labels)
    assert torch.equal(attacked[labels == 0], faces[labels == 0])
    fakes = labels == 1
    before = mmd(network.features(softened(faces[fakes])), attack.guides)
    assert mmd(network.features(attacked[fakes]), attack.guides) < before
    assert ((attacked - softened(faces)).abs()[fakes].max() <= 60.5 / 255).all()
    assert attack.couples_faces
    with pytest.raises(UserError, match="no pristine faces"):
        StatAttack(network, [])


def test_the_discrepancy_is_that_of_its_formula():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(5, 7)), random.normal(1, 1, size=(4, 7))
    squared = euclidean_distances(np.vstack([first, second]), squared=True)
    spread = squared[~np.eye(9, dtype=bool)].mean()
    kernel = sum(np.exp(-squared / (spread * 2**i / 4)) for i in range(5))
    expected = kernel[:5, :5].mean() + kernel[5:, 5:].mean() - kernel[:5, 5:].mean() - kernel[5:, :5].mean()
    assert float(mmd(torch.from_numpy(first), torch.from_numpy(second))) == pytest.approx(expected)


def test_blur_exposure_and_noise_are_those_of_their_formulas():
    faces = some_faces(1, 16)
    picture = faces[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(
        softened(faces)[0].permute(1, 2, 0), cv2.GaussianBlur(picture, (5, 5), 0.6, borderType=cv2.BORDER_REFLECT_101),
        atol=1e-6,
    )  # fmt: skip
    random = np.random.default_rng(0)
    curve, sharp = random.normal(0, 0.02, 78), random.uniform(0.1, 2, (3, 16, 16))
    noise = random.normal(0, 0.01, (3, 16, 16))
    _, found = _changed(
        faces, torch.tensor(curve)[None].float(), torch.zeros(1, 2, 2, 2), torch.tensor(sharp)[None].float(),
        torch.tensor(noise)[None].float(),
    )  # fmt: skip
    lit = np.empty((16, 16, 3))
    axis = np.linspace(-1, 1, 16)
    powers = [(t, n - t) for n in range(12) for t in range(n + 1)]
    for y in range(16):
        for x in range(16):
            exposure = sum(c * axis[x] ** t * axis[y] ** r for c, (t, r) in zip(curve, powers, strict=True))
            lit[y, x] = picture[y, x] * np.exp(exposure)
    padded = np.pad(lit, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    for y, x, c in [(0, 0, 0), (5, 9, 1), (15, 15, 2), (8, 0, 1)]:
        offsets = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        weights = np.array([np.exp(-(dy**2 + dx**2) * sharp[c, y, x] ** 2 / 2) for dy, dx in offsets])
        values = np.array([padded[y + 1 + dy, x + 1 + dx, c] for dy, dx in offsets])
        expected = (weights * values).sum() / weights.sum() + noise[c, y, x]
        expected = np.clip(np.clip(expected, picture[y, x, c] - 60 / 255, picture[y, x, c] + 60 / 255), 0, 1)
        assert float(found[0, c, y, x]) == pytest.approx(expected, abs=1e-5)
