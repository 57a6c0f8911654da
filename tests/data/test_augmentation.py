import cv2
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from sr_deepfake.data.augmentation import UNCHANGED, Augmentation, move
from sr_deepfake.system.errors import UserError

PROTOCOL = {"jpeg": 0.2, "noise": 0.3, "flip": 0.5, "grey": 0.2, "affine": 0.5}
FACE = torch.from_numpy(np.random.default_rng(0).integers(60, 196, (3, 48, 48), dtype=np.uint8))


def photo_like(count):
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 6, generator=rng) * 255
    return F.resize(coarse, [48, 48], antialias=True).round().clamp(0, 255).to(torch.uint8)


def change(seed=0, face=FACE, **probabilities):
    augmentation = Augmentation(probabilities)
    face, drawn = augmentation.draw(face, seed=seed, epoch=0, index=0)
    levels = augmentation(face[None], drawn[None])[0] * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    return levels.round().to(torch.uint8)


def test_only_what_is_drawn_happens_and_jpeg_where_faces_are_loaded():
    assert torch.equal(change(flip=1), FACE.flip(-1))
    face = torch.arange(48, dtype=torch.uint8).expand(3, 48, 48).contiguous() * 4
    same, drawn = Augmentation({}).draw(face, seed=0, epoch=0, index=0)
    jpeg, drawn_too = Augmentation({"jpeg": 1.0}).draw(face, seed=0, epoch=0, index=0)
    assert torch.equal(same, face)
    assert 0 < (jpeg.float() - face.float()).abs().mean() < 4
    assert drawn.tolist() == drawn_too.tolist() == list(UNCHANGED)
    assert torch.equal(change(face=face), face)


@pytest.mark.parametrize(("order", "code"), [("rgb", cv2.COLOR_RGB2GRAY), ("bgr", cv2.COLOR_BGR2GRAY)])
def test_grey_is_opencvs_of_the_channels_in_this_order(order, code):
    grey = change(grey=1, grey_order=order)
    assert torch.equal(grey[0], grey[1])
    expected = cv2.cvtColor(FACE.permute(1, 2, 0).numpy(), code)
    assert np.abs(grey[0].numpy().astype(int) - expected).max() <= 1  # OpenCV computes in whole numbers
    assert (grey[0].numpy() == expected).mean() > 0.99


def test_the_noise_has_the_variance_that_was_drawn_uniform_in_10_to_50():
    """As albumentations documents GaussNoise's `var_limit`; its standard deviation is not uniform."""
    augmentation = Augmentation({"noise": 1.0})
    draws = torch.stack([augmentation.draw(FACE, seed=0, epoch=0, index=index)[1] for index in range(2000)])
    variances = draws[:, 0].double() ** 2
    assert 10 < variances.min() < variances.max() < 50
    assert scipy.stats.kstest(variances, scipy.stats.uniform(10, 40).cdf).pvalue > 0.01
    noisy = augmentation(torch.full((30, 3, 96, 96), 128, dtype=torch.uint8), draws[:30]) * 255
    assert noisy.flatten(1).std(1).tolist() == pytest.approx(draws[:30, 0].tolist(), rel=0.03)
    assert (noisy - noisy.round()).abs().max() < 1e-3


def test_what_comes_in_from_outside_is_mirrored_or_black():
    bright = torch.full((3, 48, 48), 200, dtype=torch.uint8)
    assert all(torch.equal(change(seed, bright, affine=1), bright) for seed in range(50))
    moved = [change(seed, bright, affine=1, border="black") for seed in range(200)]
    black = [(face == 0).any().item() for face in moved]
    assert 0.7 < np.mean(black) < 0.95  # the protocol's notes say 82 % of what the published code moves


SHIFTS = st.floats(-4.8, 4.8)


@given(st.floats(-5, 5), st.floats(0.8, 1.2), SHIFTS, SHIFTS, st.sampled_from(["mirror", "black"]))
def test_moving_is_torchvision_s_affine(angle, zoom, right, down, border):
    faces = photo_like(2).float()
    padded = F.pad(faces, [16] * 4, padding_mode={"mirror": "reflect", "black": "constant"}[border])
    whole = F.affine(padded, angle, [right, down], zoom, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR)
    drawn = torch.tensor([angle, zoom, right, down]).expand(2, 4)
    found = move(faces, drawn[:, 0], drawn[:, 1], drawn[:, 2:], border)
    assert (found - F.center_crop(whole, [48, 48])).abs().max() < 0.02  # grey levels


@pytest.mark.parametrize(
    "wrong", [{"blur": 0.5}, {"flip": 1.5}, {"grey": "often"}, {"jpeg": None}, {"border": "white"}]
)
def test_wrong_settings_are_errors_that_name_the_option(wrong):
    with pytest.raises(UserError, match=rf"protocol\.augmentation\.{next(iter(wrong))}"):
        Augmentation(wrong)


def test_the_draws_have_the_probabilities_and_ranges_of_the_augmentation():
    augmentation = Augmentation(PROTOCOL)
    drawn = torch.stack([augmentation.draw(FACE, seed=1, epoch=0, index=index)[1] for index in range(2000)])
    noise, _, flip, grey, angle, zoom, right, down = drawn.T
    for share, name in ((noise > 0, "noise"), (flip > 0, "flip"), (grey > 0, "grey"), (zoom != 1, "affine")):
        assert share.float().mean().item() == pytest.approx(PROTOCOL[name], abs=0.04)
    assert 4.8 < angle.abs().max() <= 5
    assert 0.8 <= zoom.min() < 0.82 < 1.18 < zoom.max() <= 1.2
    assert 4.6 < min(right.abs().max(), down.abs().max()) <= max(right.abs().max(), down.abs().max()) <= 4.8


def test_a_face_depends_on_seed_epoch_and_index_alone_and_a_batch_on_its_faces():
    augmentation = Augmentation(PROTOCOL)
    faces = photo_like(6)

    def draw(epoch):
        pairs = [augmentation.draw(face, seed=0, epoch=epoch, index=index) for index, face in enumerate(faces)]
        return map(torch.stack, zip(*pairs, strict=True))

    jpeg, drawn = draw(epoch=1)
    assert all(map(torch.equal, draw(epoch=1), (jpeg, drawn)))
    assert (drawn[:, 0] > 0).any()
    alone = torch.cat([augmentation(jpeg[i : i + 1], drawn[i : i + 1]) for i in range(6)])
    assert (augmentation(jpeg, drawn) - alone).abs().max() < 1e-6
    assert not any(map(torch.equal, draw(epoch=2), (jpeg, drawn)))
