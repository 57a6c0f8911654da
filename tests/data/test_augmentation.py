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


def test_nothing_happens_at_probability_zero():
    assert torch.equal(change(), FACE)


def test_the_flip_is_left_to_right():
    assert torch.equal(change(flip=1), FACE.flip(-1))


@pytest.mark.parametrize(("order", "code"), [("rgb", cv2.COLOR_RGB2GRAY), ("bgr", cv2.COLOR_BGR2GRAY)])
def test_grey_is_opencvs_of_the_channels_in_this_order(order, code):
    grey = change(grey=1, grey_order=order)
    assert torch.equal(grey[0], grey[1])
    expected = cv2.cvtColor(FACE.permute(1, 2, 0).numpy(), code)
    assert np.abs(grey[0].numpy().astype(int) - expected).max() <= 1  # OpenCV computes in whole numbers
    assert (grey[0].numpy() == expected).mean() > 0.99


def test_the_variance_of_the_noise_is_uniform_in_10_to_50():
    """As albumentations documents GaussNoise's `var_limit`; its standard deviation is not uniform."""
    augmentation = Augmentation({"noise": 1.0})
    drawn = [augmentation.draw(FACE, seed=0, epoch=0, index=index)[1][0].item() ** 2 for index in range(2000)]
    assert scipy.stats.kstest(drawn, scipy.stats.uniform(10, 40).cdf).pvalue > 0.01
    measured = [(change(seed, noise=1).float() - FACE.float()).var().item() for seed in range(30)]
    assert 9 < min(measured) < 20
    assert 40 < max(measured) < 55


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


@given(
    angle=st.floats(-5, 5), zoom=st.floats(0.8, 1.2), right=st.floats(-4.8, 4.8), down=st.floats(-4.8, 4.8)
)  # fmt: skip
def test_moving_with_a_black_border_is_opencvs_affine(angle, zoom, right, down):
    """What albumentations' ShiftScaleRotate calls: a rotation about the centre, and a shift of any fraction."""
    (face,) = photo_like(1)
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), -angle, zoom)
    matrix[:, 2] += right, down
    picture = face.permute(1, 2, 0).float().numpy()
    expected = cv2.warpAffine(picture, matrix, (48, 48), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    moved = (
        move(face[None].float(), torch.tensor([angle]), torch.tensor([zoom]), torch.tensor([[right, down]]), "black")[0]
        .permute(1, 2, 0)
        .numpy()
    )
    # OpenCV rounds positions to 1/32 px.
    assert np.abs(moved - expected).mean() < 1.5


def test_each_operation_happens_as_often_as_asked():
    flipped = sum(torch.equal(change(seed, flip=0.3), FACE.flip(-1)) for seed in range(400))
    assert 90 < flipped < 150


@pytest.mark.parametrize("wrong", [{"blur": 0.5}, {"flip": 1.5}, {"grey": "often"}, {"jpeg": None}])
def test_wrong_settings_are_errors_that_name_the_option(wrong):
    with pytest.raises(UserError, match=rf"protocol\.augmentation\.{next(iter(wrong))}"):
        Augmentation(wrong)


def photo_like(count=1, side=48, seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 6, generator=rng) * 255
    return F.resize(coarse, [side, side], antialias=True).round().clamp(0, 255).to(torch.uint8)


@given(angle=st.floats(-5, 5), zoom=st.floats(0.8, 1.2), right=st.integers(-4, 4), down=st.integers(-4, 4))
def test_moving_is_torchvision_s_affine(angle, zoom, right, down):
    faces = photo_like(2)
    padded = F.pad(faces.float(), [16] * 4, padding_mode="reflect")
    expected = F.center_crop(
        F.affine(padded, angle, [right, down], zoom, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR), [48, 48]
    )
    moved = move(
        faces.float(), torch.full((2,), angle), torch.full((2,), zoom), torch.tensor([[right, down]]).expand(2, 2)
    )
    assert (moved - expected).abs().max() < 0.02  # grey levels


def test_a_face_that_nothing_is_drawn_for_stays_and_jpeg_is_done_where_faces_are_loaded():
    (face,) = photo_like(1)
    same, drawn = Augmentation({}).draw(face, seed=0, epoch=0, index=0)
    assert torch.equal(same, face)
    assert drawn.tolist() == list(UNCHANGED)
    jpeg, drawn = Augmentation({"jpeg": 1.0}).draw(face, seed=0, epoch=0, index=0)
    assert (jpeg != face).any()
    assert drawn.tolist() == list(UNCHANGED)


def test_the_noise_has_the_standard_deviation_that_was_drawn():
    augmentation = Augmentation({"noise": 1.0})
    face = torch.full((3, 96, 96), 128, dtype=torch.uint8)
    _, drawn = augmentation.draw(face, seed=0, epoch=0, index=3)
    out = augmentation(face[None], drawn[None]) * 255
    assert 10**0.5 <= drawn[0] <= 50**0.5
    assert out.std().item() == pytest.approx(drawn[0].item(), rel=0.03)
    assert (out - out.round()).abs().max() < 1e-3


def test_the_draws_have_the_probabilities_and_ranges_of_the_augmentation():
    augmentation = Augmentation(PROTOCOL)
    face = photo_like(1, side=48)[0]
    drawn = torch.stack([augmentation.draw(face, seed=1, epoch=0, index=index)[1] for index in range(2000)])
    noise, _, flip, grey, angle, zoom, right, down = drawn.T
    for share, name in (((noise > 0), "noise"), (flip > 0, "flip"), (grey > 0, "grey"), (zoom != 1, "affine")):
        assert share.float().mean().item() == pytest.approx(PROTOCOL[name], abs=0.04)
    assert angle.abs().max() <= 5
    assert 0.8 <= zoom.min() < 0.82
    assert 1.18 < zoom.max() <= 1.2
    assert 4.6 < right.abs().max() <= 4.8
    assert 4.6 < down.abs().max() <= 4.8


def test_a_face_depends_on_seed_epoch_and_index_alone_and_a_batch_on_its_faces():
    augmentation = Augmentation(PROTOCOL)
    faces = photo_like(6)
    pairs = [augmentation.draw(face, seed=0, epoch=1, index=index) for index, face in enumerate(faces)]
    again = [augmentation.draw(face, seed=0, epoch=1, index=index) for index, face in enumerate(faces)]
    assert all(
        torch.equal(a, b) for pair, other in zip(pairs, again, strict=True) for a, b in zip(pair, other, strict=True)
    )
    jpeg, drawn = torch.stack([pair[0] for pair in pairs]), torch.stack([pair[1] for pair in pairs])
    together = augmentation(jpeg, drawn)
    assert (drawn[:, 0] > 0).any()
    alone = torch.cat([augmentation(jpeg[i : i + 1], drawn[i : i + 1]) for i in range(6)])
    assert (together - alone).abs().max() < 1e-6
    other = augmentation.draw(faces[0], seed=0, epoch=2, index=0)
    assert not torch.equal(pairs[0][1], other[1]) or not torch.equal(pairs[0][0], other[0])
