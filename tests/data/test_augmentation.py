import cv2
import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from sr_deepfake.data.augmentation import OPERATIONS, UNCHANGED, Augmentation, move
from sr_deepfake.system.errors import UserError

PROTOCOL = {"jpeg": 0.2, "noise": 0.3, "flip": 0.5, "grey": 0.2, "affine": 0.5}
FACE = torch.from_numpy(np.random.default_rng(0).integers(60, 196, (3, 48, 48), dtype=np.uint8))


def change(seed=0, face=FACE, **probabilities):
    augmentation = Augmentation(probabilities)
    face, drawn = augmentation.draw(face, seed=seed, epoch=0, index=0)
    levels = augmentation(face[None], drawn[None])[0] * 255
    assert (levels - levels.round()).abs().max() < 1e-3
    return levels.round().to(torch.uint8)


@given(st.dictionaries(st.sampled_from(OPERATIONS), st.floats(0, 1)), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_shape_type_and_repeatability(probabilities, seed):
    one, other = change(seed, **probabilities), change(seed, **probabilities)
    assert one.shape == FACE.shape
    assert one.dtype == torch.uint8
    assert torch.equal(one, other)


def test_nothing_happens_at_probability_zero_and_the_flip_is_left_to_right():
    assert torch.equal(change(), FACE)
    assert torch.equal(change(flip=1), FACE.flip(-1))


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


def test_jpeg_stays_near_the_face():
    smooth = torch.arange(48, dtype=torch.uint8).expand(3, 48, 48).contiguous() * 4
    changed = change(face=smooth, jpeg=1)
    assert not torch.equal(changed, smooth)
    assert (changed.float() - smooth.float()).abs().mean() < 4


def test_affine_mirrors_what_comes_in_from_outside():
    bright = torch.full((3, 48, 48), 200, dtype=torch.uint8)
    assert all(torch.equal(change(seed, bright, affine=1), bright) for seed in range(50))
    assert not torch.equal(change(affine=1), FACE)


def test_a_black_border_is_black_as_opencvs_constant_border():
    bright = torch.full((3, 48, 48), 200, dtype=torch.uint8)
    moved = [change(seed, bright, affine=1, border="black") for seed in range(200)]
    black = [(face == 0).any().item() for face in moved]
    assert 0.7 < np.mean(black) < 0.95  # the protocol's notes say 82 % of what the published code moves
    with pytest.raises(UserError, match=r"protocol\.augmentation\.border.*mirror, black"):
        Augmentation({"border": "white"})


def moved(faces, angle, zoom, *shift, border="mirror"):
    drawn = torch.tensor([[angle, zoom, *shift]]).expand(len(faces), 4)
    return move(faces.float(), drawn[:, 0], drawn[:, 1], drawn[:, 2:], border)


@given(st.floats(-5, 5), st.floats(0.8, 1.2), st.floats(-4.8, 4.8), st.floats(-4.8, 4.8))
def test_moving_with_a_black_border_is_opencvs_affine(angle, zoom, right, down):
    """What albumentations' ShiftScaleRotate calls: a rotation about the centre, and a shift of any fraction."""
    faces = photo_like(1)
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), -angle, zoom)
    matrix[:, 2] += right, down
    picture = faces[0].permute(1, 2, 0).float().numpy()
    expected = cv2.warpAffine(picture, matrix, (48, 48), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    found = moved(faces, angle, zoom, right, down, border="black")[0].permute(1, 2, 0)
    # OpenCV rounds positions to 1/32 px.
    assert np.abs(found.numpy() - expected).mean() < 1.5


@pytest.mark.parametrize("wrong", [{"blur": 0.5}, {"flip": 1.5}, {"grey": "often"}, {"jpeg": None}])
def test_wrong_settings_are_errors_that_name_the_option(wrong):
    with pytest.raises(UserError, match=rf"protocol\.augmentation\.{next(iter(wrong))}"):
        Augmentation(wrong)


def photo_like(count=1, side=48, seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=rng) * 255
    return F.resize(coarse, [side, side], antialias=True).round().clamp(0, 255).to(torch.uint8)


@given(st.floats(-5, 5), st.floats(0.8, 1.2), st.integers(-4, 4), st.integers(-4, 4))
def test_moving_is_torchvision_s_affine(angle, zoom, right, down):
    faces = photo_like(2)
    padded = F.pad(faces.float(), [16] * 4, padding_mode="reflect")
    whole = F.affine(padded, angle, [right, down], zoom, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR)
    found = moved(faces, angle, zoom, right, down)
    assert (found - F.center_crop(whole, [48, 48])).abs().max() < 0.02  # grey levels


def test_a_face_that_nothing_is_drawn_for_stays_and_jpeg_is_done_where_faces_are_loaded():
    (face,) = photo_like(1)
    same, drawn = Augmentation({}).draw(face, seed=0, epoch=0, index=0)
    assert torch.equal(same, face)
    assert drawn.tolist() == list(UNCHANGED)
    jpeg, drawn = Augmentation({"jpeg": 1.0}).draw(face, seed=0, epoch=0, index=0)
    assert (jpeg != face).any()
    assert drawn.tolist() == list(UNCHANGED)


def test_the_draws_have_the_probabilities_and_ranges_of_the_augmentation():
    augmentation = Augmentation(PROTOCOL)
    face = photo_like(1, side=48)[0]
    drawn = torch.stack([augmentation.draw(face, seed=1, epoch=0, index=index)[1] for index in range(2000)])
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
